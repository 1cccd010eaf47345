<?php
// "gearman implements task distribution": the worker of add_job.php. JOBS=n ends it after n jobs.
[$host, $port] = explode(':', getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

$worker = new GearmanWorker();
$worker->addServer($host, (int) $port);
$worker->addFunction('runLaterJob', function ($job) {
    $data = json_decode($job->workload(), true);
    if (isset($data['sleep_time']) && $data['sleep_time'] > 0) {
        sleep($data['sleep_time']); // Delay processing if necessary
    }
    echo "Processing tasks uid:{$data['uid']}--title:{$data['title']}--body:{$data['body']} success\n";
});

// Dead cycle waiting job Tasks submitted
for ($jobs = (int) (getenv('JOBS') ?: PHP_INT_MAX); $jobs > 0; $jobs--) {
    if (!$worker->work()) {
        fwrite(STDERR, $worker->error() . "\n");
        exit(1);
    }
}
