# A client with Perl's Gearman::Client: server, and whether it wants exceptions. What comes back is printed.
use strict;
use warnings;
use Gearman::Client;
use Gearman::Task;

$| = 1;
my $client = Gearman::Client->new(job_servers => [$ARGV[0]], exceptions => $ARGV[1] // 0);

my $result = $client->do_task(reverse => 'Hello');
print "reverse: $$result\n";

$client->do_task(progress => 'abc', {
    uniq        => 'one',
    on_status   => sub { print "status $_[0]/$_[1]\n" },
    on_complete => sub { print "complete ${$_[0]}\n" },
});

for my $function (qw(empty zero nothing fail dies reverse)) {
    my $set = $client->new_task_set;
    $set->add_task(Gearman::Task->new($function, \ 'xyz', {
        on_data      => sub { print "data <${$_[0]}>\n" },
        on_warning   => sub { print "warning <${$_[0]}>\n" },
        on_complete  => sub { print "complete <${$_[0]}>\n" },
        on_fail      => sub { print "failed $function\n" },
        on_exception => sub { print "exception $function: $_[0]\n" },
    }));
    $set->wait(timeout => 30);
}

my $set = $client->new_task_set;
my @results;
$set->add_task(reverse => $_, { on_complete => sub { push @results, ${$_[0]} } }) for 10 .. 14;
$set->wait(timeout => 30);
print join(' ', sort @results), "\n";

my $handle = $client->dispatch_background(nobody => 'x', { uniq => 'later' });
my $status = $client->get_status($handle);
print 'background: ', ($status->known ? 'known' : 'unknown'), ' ', ($status->running ? 'running' : 'waiting'), "\n";
