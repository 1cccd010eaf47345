<?php
// "very suitable for processing the delayed closing of orders": an order that closes itself unless it is paid in time.
//   php order.php 42            places the order 42; DELAY=2s in the environment says how long it stays open: 20m
//   php order.php pay HANDLE    it is paid: the job that would close it is cancelled
[$host, $port] = explode(':', getenv('JOB_SERVERS') ?: '127.0.0.1:4730');

if ($argv[1] === 'pay') {
    $admin = fsockopen($host, (int) $port);
    fwrite($admin, "cancel job {$argv[2]}\n");
    $answer = trim(fgets($admin));
    if ($answer !== 'OK') {
        fwrite(STDERR, "the order is closed already: $answer\n");
        exit(1);
    }
    echo "paid\n";
    exit;
}

$order = $argv[1];
$delay = getenv('DELAY') ?: '20m';
$client = new GearmanClient();
$client->addServer($host, (int) $port);
$handle = $client->doBackground("closeOrder;delay=$delay", $order, "order-$order");
if ($client->returnCode() != GEARMAN_SUCCESS) {
    fwrite(STDERR, $client->error() . "\n");
    exit(1);
}
echo "order $order is open for $delay: $handle\n";
