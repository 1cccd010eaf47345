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
# An empty result, and 0, are sent as the bare handle, without a NUL; so are empty data, warnings and exceptions.
$worker->register_function(empty => sub { return '' });
$worker->register_function(zero => sub { return 0 });
$worker->register_function(nothing => sub {
    my $job = shift;
    $worker->send_work_data($job, '');
    $worker->send_work_warning($job, '');
    return 'after nothing';
});
$worker->register_function(dies => sub { die "it broke\n" });

$worker->work while 1;
