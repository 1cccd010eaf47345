<?php
// What the articles leave out: progress, data, warnings, failures, exceptions. JOBS=n ends it after n jobs.
$worker = new GearmanWorker();
$worker->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730');
$worker->setId('tasks');

$worker->addFunction('reverse', fn ($job) => strrev($job->workload()));
$worker->addFunction('spell', function ($job) {
    $word = $job->workload();
    $job->sendWarning('slowly');
    for ($n = 0; $n < strlen($word); $n++) {
        $job->sendData($word[$n]);
        $job->sendStatus($n + 1, strlen($word));
    }
    return "$word ({$job->unique()})";
});
$worker->addFunction('fail', function ($job) {
    $job->sendFail();
});
$worker->addFunction('raise', function ($job) {
    $job->sendException('it broke');
});

for ($jobs = (int) (getenv('JOBS') ?: PHP_INT_MAX); $jobs > 0; $jobs--) {
    $worker->work();
    fwrite(STDERR, "code {$worker->returnCode()}\n");
}
