package async_test

import (
	"regexp"
	"strings"
	"testing"
)

// modelNames has names beside those of vendorNames: of later versions, of options, and of libraries around them.
var modelNames = map[string]string{
	"asyncio": `run Runner TaskGroup create_task gather wait wait_for timeout timeout_at as_completed sleep shield to_thread run_coroutine_threadsafe
current_task all_tasks iscoroutine isfuture ensure_future wrap_future eager_task_factory get_running_loop get_event_loop new_event_loop set_event_loop
run_forever run_until_complete stop call_soon call_soon_threadsafe call_later call_at time create_future set_task_factory run_in_executor set_default_executor
shutdown_default_executor shutdown_asyncgens add_signal_handler remove_signal_handler set_exception_handler call_exception_handler set_debug
when cancel cancelled cancelling uncancel done result exception set_result set_exception add_done_callback remove_done_callback get_loop get_stack
print_stack get_coro get_context get_name set_name reschedule expired capture_call_graph print_call_graph CancelledError TimeoutError InvalidStateError ExceptionGroup
iscoroutinefunction ContextVar return_exceptions FIRST_COMPLETED FIRST_EXCEPTION ALL_COMPLETED pending`,
	"asyncio_sync": `Lock locked Event is_set clear Condition wait_for notify notify_all Semaphore BoundedSemaphore Barrier abort n_waiting BrokenBarrierError
Queue PriorityQueue LifoQueue put put_nowait get get_nowait qsize empty full task_done join shutdown QueueEmpty QueueFull QueueShutDown
add_reader add_writer remove_reader remove_writer sock_recv sock_sendall sock_connect sock_accept create_connection create_server create_datagram_endpoint
open_connection start_server open_unix_connection start_unix_server getaddrinfo getnameinfo sendfile start_tls Protocol Transport DatagramProtocol
StreamReader StreamWriter readline readexactly readuntil at_eof drain wait_closed serve_forever abort_clients
create_subprocess_exec create_subprocess_shell communicate terminate kill send_signal`,
	"java java_state": `supplyAsync runAsync completedFuture failedFuture thenApply thenApplyAsync thenAccept thenRun thenCompose thenCombine thenAcceptBoth runAfterBoth
applyToEither acceptEither runAfterEither exceptionally exceptionallyCompose handle whenComplete allOf anyOf join get getNow resultNow exceptionNow state isDone isCancelled
isCompletedExceptionally complete completeExceptionally completeAsync completeOnTimeout orTimeout cancel obtrudeValue obtrudeException copy minimalCompletionStage
newIncompleteFuture defaultExecutor delayedExecutor getNumberOfDependents CompletionException CancellationException invokeAll invokeAny shutdown shutdownNow
awaitTermination ExecutorCompletionService newFixedThreadPool newVirtualThreadPerTaskExecutor ThreadPoolExecutor scheduleAtFixedRate StructuredTaskScope`,
	"javascript": `Promise.withResolvers Promise.resolve Promise.reject Promise.try Promise.all Promise.allSettled Promise.any Promise.race AggregateError then catch finally await
fromAsync setTimeout clearTimeout setInterval clearInterval setImmediate queueMicrotask nextTick AbortController AbortSignal.abort AbortSignal.timeout AbortSignal.any aborted
reason throwIfAborted addEventListener removeEventListener onabort addAbortListener scheduler.wait thenable`,
	"node": `EventEmitter on once off emit addListener removeListener removeAllListeners prependListener prependOnceListener listeners listenerCount eventNames rawListeners
setMaxListeners getMaxListeners getEventListeners newListener errorMonitor captureRejections events.on events.once EventEmitterAsyncResource EventTarget CustomEvent
unhandledRejection rejectionHandled promisify callbackify AsyncLocalStorage AsyncResource Worker addAbortSignal push _read read write highWaterMark readableHighWaterMark
writableHighWaterMark readableLength writableLength desiredSize writableNeedDrain readableFlowing objectMode Duplex PassThrough Transform pipe unpipe pipeline finished
compose cork uncork pause resume destroy Readable.from map filter forEach toArray some find every take drop reduce flatMap`,
}

func TestModelsNameEveryFunction(t *testing.T) {
	for tables, names := range modelNames {
		rowsHave(t, tables, names)
	}
	for tables, names := range vendorNames {
		rowsHave(t, tables, names)
	}
}

// rowsHave looks for each of the names in the first column of the tables.
func rowsHave(t *testing.T, tables, names string) {
	t.Helper()
	var titles strings.Builder
	for table := range strings.FieldsSeq(tables) {
		for line := range strings.SplitSeq(makeTable(t, table), "\n") {
			if cells := strings.SplitN(line, " | ", 2); strings.HasPrefix(line, "| `") {
				titles.WriteString(cells[0] + "\n")
			}
		}
	}
	for name := range strings.FieldsSeq(names) {
		if !regexp.MustCompile(`(^|[^\w])` + regexp.QuoteMeta(name) + `([^\w]|$)`).MatchString(titles.String()) {
			t.Errorf("no row of the tables %s has %s", tables, name)
		}
	}
}
