<?php
// A worker whose mail server is down: it fails FAILS times, says why, then sends. It ends after the mail that it has sent.
[$host, $port] = explode(':', getenv('JOB_SERVERS') ?: '127.0.0.1:4730');
$fails = (int) (getenv('FAILS') ?: 2);

$worker = new GearmanWorker();
$worker->addServer($host, (int) $port);
$worker->addFunction('sendmail', function ($job) use (&$fails) {
    if ($fails-- > 0) {
        echo "the mail server is down\n";
        $job->sendException('no mail server');
        return;
    }
    echo "sent: {$job->workload()}\n";
});
while ($fails >= 0) {
    $worker->work();
}
