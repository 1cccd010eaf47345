# A worker with Perl's Gearman::Worker, which closes orders and has no mail server: server.
use strict;
use warnings;
use Gearman::Worker;

$| = 1;
my $worker = Gearman::Worker->new(job_servers => [$ARGV[0]]);
$worker->register_function(closeOrder => sub { print 'closed ', $_[0]->arg, "\n"; return 'ok' });
$worker->register_function(sendmail => sub { print "no mail server\n"; return undef });
$worker->work while 1;
