<?php
// The worker of order.php: closes what was not paid. JOBS=n ends it after n jobs.
[$host, $port] = explode(':', getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

$worker = new GearmanWorker();
$worker->addServer($host, (int) $port);
$worker->addFunction('closeOrder', function ($job) {
    printf("%.3f order %s is closed\n", microtime(true), $job->workload());
});
for ($jobs = (int) (getenv('JOBS') ?: PHP_INT_MAX); $jobs > 0; $jobs--) {
    if (!$worker->work()) {
        fwrite(STDERR, $worker->error() . "\n");
        exit(1);
    }
}
