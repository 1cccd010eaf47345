<?php
// Foreground work with the task interface: everything that comes back is written down.
$client = new GearmanClient();
$client->addServers(getenv('JOB_SERVERS') ?: '127.0.0.1:4730');
$client->setTimeout(30000);

echo "reverse: ", $client->doNormal('reverse', 'Hello'), "\n";
echo "high: ", $client->doHigh('reverse', "a\0b"), "\n";
echo "low: ", $client->doLow('reverse', 'xyz', 'unique-1'), "\n";

$client->setDataCallback(function ($task) { echo "data ", $task->data(), "\n"; });
$client->setWarningCallback(function ($task) { echo "warning ", $task->data(), "\n"; });
$client->setStatusCallback(function ($task) {
    echo "status ", $task->taskNumerator(), "/", $task->taskDenominator(), "\n";
});
$client->setCompleteCallback(function ($task) { echo "complete ", $task->functionName(), " ", $task->data(), "\n"; });
$client->setFailCallback(function ($task) { echo "failed ", $task->functionName(), "\n"; });
$client->setExceptionCallback(function ($task) { echo "exception ", $task->data(), "\n"; });

foreach (array('spell', 'fail', 'raise') as $function) {
    $client->addTask($function, 'abc', null, "unique-$function");
    $client->runTasks();
}
echo "all: ";
$client->clearCallbacks();
$client->setCompleteCallback(function ($task) { echo $task->data(), " "; });
for ($n = 10; $n < 20; $n++) {
    $client->addTask('reverse', (string) $n);
}
echo $client->runTasks() ? "done\n" : $client->error() . "\n";

$handle = $client->doBackground('nobody does this', 'x');
echo "background: ", json_encode($client->jobStatus($handle)), "\n";
