<?php
// "Queues for Gearman and PHP": several servers by addServers, for a mail for each argument.
$client = new GearmanClient();
$client->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730,127.0.0.1:4731');
// With several servers libgearman 1.1.20 may overlook the answer of one while it looks at the other, and wait for ever:
// with any server. The mail is on its way then, so the time is limited and the result not asked for.
$client->setTimeout(1000);

foreach (array_slice($argv, 1) as $subject) {
    $mail = array(
        'to' => 'test@gmail.com',
        'subject' => $subject,
        'body' => 'Это тестовое сообщение',
    );
    @$client->doBackground('sendmail', json_encode($mail));
}
