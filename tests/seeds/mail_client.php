<?php
// "Queues for Gearman and PHP": mails in three priorities. Each argument is one mail: high:, normal: or low: and its title.
$client = new GearmanClient();
$client->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

foreach (array_slice($argv, 1) as $word) {
    [$priority, $subject] = explode(':', $word, 2);
    $mail = array(
        'to' => 'test@gmail.com',
        'subject' => $subject,
        'body' => 'Это тестовое сообщение',
    );
    match ($priority) {
        'high' => $client->doHighBackground('sendmail', json_encode($mail)), // will be processed first
        'normal' => $client->doBackground('sendmail', json_encode($mail)),
        'low' => $client->doLowBackground('sendmail', json_encode($mail)), // will be processed last
    };
    if ($client->returnCode() != GEARMAN_SUCCESS) {
        fwrite(STDERR, $client->error() . "\n");
        exit(1);
    }
}
