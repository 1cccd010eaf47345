<?php
// "Queues for Gearman and PHP": the worker of mail_client.php. There is no MTA here: mails go into the file MAILBOX,
// or to the terminal. JOBS=n ends it after n mails.
$worker = new GearmanWorker();
$worker->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

$worker->addFunction('sendmail', 'send_mail');

$jobs = (int) (getenv('JOBS') ?: PHP_INT_MAX);
while ($jobs-- > 0) {
    $worker->work();
    if ($worker->returnCode() != GEARMAN_SUCCESS) break;
}
exit($worker->returnCode() == GEARMAN_SUCCESS ? 0 : 1);

function send_mail($job)
{
    $workload = $job->workload();
    $data = json_decode($workload, true);

    mail_to_file($data['to'], $data['subject'], $data['body']);
}

function mail_to_file($to, $subject, $body)
{
    file_put_contents(getenv('MAILBOX') ?: 'php://stdout', "$to|$subject|$body\n", FILE_APPEND);
}
