# Programs of the measurements.
TEST_TOOLS += fill_queue
fill_queue_SRC := tests/bench/fill_queue.c queue/draft.c queue/envelope.c queue/header.c queue/id.c
TEST_TOOLS += sink
sink_SRC := tests/bench/sink.c
TEST_TOOLS += lookup
lookup_SRC := tests/bench/lookup.c
