<?php
// "gearman implements task distribution": an order job that is to be done some seconds later.
// The server is JOB_SERVERS, not GEARMAN_SERVERS: the library reads that one by itself and would connect twice.
[$host, $port] = explode(':', getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

$client = new GearmanClient();
$client->addServer($host, (int) $port);
$res1 = $client->doBackground('runLaterJob', json_encode(array(
    'uid' => 'test user id',
    'title' => 'Add a code title that requires asynchronous execution at the delay',
    'body' => 'Execute the details of this asynchrony',
    'sleep_time' => getenv('SLEEP_TIME') === false ? 2 : (int) getenv('SLEEP_TIME'),
)));
if ($client->returnCode() != GEARMAN_SUCCESS) {
    fwrite(STDERR, $client->error() . "\n");
    exit(1);
}
echo "added $res1\n";
