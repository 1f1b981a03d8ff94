# The queue: one manager, run as a service or from cron.
QUEUE_SRC := queue/manager.c queue/start.c queue/peer.c queue/submit.c \
	queue/submit_rcpt.c queue/commit.c queue/draft.c queue/life.c \
	queue/begin.c queue/orders.c queue/mailbox.c queue/load.c queue/told.c \
	queue/local.c queue/local_batch.c queue/answer.c queue/notice.c \
	queue/check.c queue/control.c queue/rows.c queue/filter.c \
	queue/sched.c queue/index.c queue/store.c queue/sync.c \
	queue/sync_costs.c queue/envelope.c queue/header.c queue/remote.c \
	queue/path.c queue/carrier.c queue/dispatch.c queue/ticket.c \
	queue/remote_job.c queue/verdict.c queue/resolve.c \
	queue/dest_group.c queue/group.c queue/outbound.c queue/sending.c \
	queue/hold.c queue/hold_text.c queue/registry.c queue/hops.c \
	queue/retry.c queue/id.c queue/proto_bounce.c
PROGS += malle-queued
malle-queued_SRC := queue/malle-queued.c $(QUEUE_SRC)
malle-queued_STATIC := 1
PROGS += malle-queue-run
malle-queue-run_SRC := queue/malle-queue-run.c $(QUEUE_SRC)
malle-queue-run_STATIC := 1
