# Asks for what Perl's Gearman::Client knows nothing of: server. An order that closes itself, and a mail that fails.
use strict;
use warnings;
use Gearman::Client;

my $client = Gearman::Client->new(job_servers => [$ARGV[0]]);
print $client->dispatch_background('closeOrder;delay=300ms', \ '42', { uniq => 'order-42' }), "\n";
print $client->dispatch_background('sendmail;retries=2;backoff=fixed:50ms', \ 'hello', { uniq => 'mail-1' }), "\n";
