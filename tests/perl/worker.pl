# A worker with Perl's Gearman::Worker: server.
use strict;
use warnings;
use Gearman::Worker;

my $worker = Gearman::Worker->new(job_servers => [$ARGV[0]]);

$worker->register_function(reverse => sub { return scalar reverse $_[0]->arg });
$worker->register_function(progress => sub {
    my $job = shift;
    $job->set_status($_, 3) for 1 .. 3;
    return 'done ' . $job->arg;
});
$worker->register_function(fail => sub { return undef });
$worker->register_function(dies => sub { die "it broke\n" });

$worker->work while 1;
