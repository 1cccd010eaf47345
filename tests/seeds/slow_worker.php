<?php
// A function with a time-out, as PHP's manual has it: in seconds. SECONDS is what a job takes, TIMEOUT what it may take.
$worker = new GearmanWorker();
$worker->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

$worker->addFunction('slow', function ($job) {
    echo "begun\n";
    usleep((int) (1e6 * (float) getenv('SECONDS')));
    return 'done';
}, null, (int) getenv('TIMEOUT'));

$worker->work();
