package async_test

// vendorNames are the names that the vendors' own programs list. A row of the tables named by the key has each.
var vendorNames = map[string]string{
	// Python 3.11: asyncio.__all__ and dir() of each class in it, without names that begin with an underscore.
	"asyncio asyncio_sync asyncio_transports": `ALL_COMPLETED AbstractChildWatcher AbstractEventLoop AbstractEventLoopPolicy AbstractServer Barrier BaseEventLoop BaseProtocol
BaseTransport BoundedSemaphore BrokenBarrierError BufferedProtocol CancelledError Condition DatagramProtocol DatagramTransport
DefaultEventLoopPolicy Event FIRST_COMPLETED FIRST_EXCEPTION FastChildWatcher Future Handle IncompleteReadError
InvalidStateError LifoQueue LimitOverrunError Lock MultiLoopChildWatcher PidfdChildWatcher PriorityQueue Protocol Queue
QueueEmpty QueueFull ReadTransport Runner SafeChildWatcher SelectorEventLoop Semaphore SendfileNotAvailableError Server
StreamReader StreamReaderProtocol StreamWriter SubprocessProtocol SubprocessTransport Task ThreadedChildWatcher Timeout
TimeoutError TimerHandle Transport WriteTransport abort acquire add_child_handler add_done_callback add_reader
add_signal_handler add_writer all_tasks as_completed at_eof attach_loop broken buffer_updated call_at call_exception_handler
call_later call_soon call_soon_threadsafe can_write_eof cancel cancelled cancelling characters_written clear close
connect_accepted_socket connect_read_pipe connect_write_pipe connection_lost connection_made create_connection
create_datagram_endpoint create_future create_server create_subprocess_exec create_subprocess_shell create_task
create_unix_connection create_unix_server current_task data_received datagram_received default_exception_handler done drain
empty ensure_future eof_received errno error_received exception expired feed_data feed_eof filename filename2 full gather get
get_buffer get_child_watcher get_coro get_debug get_event_loop get_event_loop_policy get_exception_handler get_extra_info
get_loop get_name get_nowait get_pid get_pipe_transport get_protocol get_returncode get_running_loop get_stack get_task_factory
get_write_buffer_limits get_write_buffer_size getaddrinfo getnameinfo is_active is_closed is_closing is_reading is_running
is_serving is_set iscoroutine iscoroutinefunction isfuture join kill locked maxsize n_waiting new_event_loop notify notify_all
open_connection open_unix_connection parties pause_reading pause_writing pipe_connection_lost pipe_data_received print_stack
process_exited put put_nowait qsize read readexactly readline readuntil release remove_child_handler remove_done_callback
remove_reader remove_signal_handler remove_writer reschedule reset result resume_reading resume_writing run
run_coroutine_threadsafe run_forever run_in_executor run_until_complete send_signal sendfile sendto serve_forever set
set_child_watcher set_debug set_default_executor set_event_loop set_event_loop_policy set_exception set_exception_handler
set_name set_protocol set_result set_task_factory set_transport set_write_buffer_limits shield shutdown_asyncgens
shutdown_default_executor sleep sock_accept sock_connect sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall
sock_sendfile sock_sendto sockets start_server start_serving start_tls start_unix_server stop strerror subprocess_exec
subprocess_shell task_done terminate time timeout timeout_at to_thread transport uncancel wait wait_closed wait_for when
wrap_future write write_eof writelines`,

	// Java 17: javap -public of java.util.concurrent.CompletableFuture and ExecutorService.
	"java java_state": `CompletableFuture acceptEither acceptEitherAsync allOf anyOf applyToEither applyToEitherAsync awaitTermination cancel complete
completeAsync completeExceptionally completeOnTimeout completedFuture completedStage copy defaultExecutor delayedExecutor
exceptionally exceptionallyAsync exceptionallyCompose exceptionallyComposeAsync failedFuture failedStage get getNow
getNumberOfDependents handle handleAsync invokeAll invokeAny isCancelled isCompletedExceptionally isDone isShutdown isTerminated
join minimalCompletionStage newIncompleteFuture obtrudeException obtrudeValue orTimeout runAfterBoth runAfterBothAsync
runAfterEither runAfterEitherAsync runAsync shutdown shutdownNow submit supplyAsync thenAccept thenAcceptAsync thenAcceptBoth
thenAcceptBothAsync thenApply thenApplyAsync thenCombine thenCombineAsync thenCompose thenComposeAsync thenRun thenRunAsync
toCompletableFuture toString whenComplete whenCompleteAsync`,

	// Node 20: Object.getOwnPropertyNames of Promise, AbortController, AbortSignal, EventTarget, node:timers and
	// node:timers/promises, Timeout and Immediate, and of their prototypes; without active, enroll and unenroll, which Node itself
	// has given up.
	"javascript node": `abort aborted addEventListener all allSettled any catch clearImmediate clearInterval clearTimeout close dispatchEvent finally
hasRef onabort promises race reason ref refresh reject removeEventListener resolve scheduler setImmediate setInterval setTimeout
signal then throwIfAborted timeout unref wait yield`,

	// Node 20: the same of node:events, EventEmitter, node:stream, Readable, Writable, Duplex, node:stream/promises and AsyncLocalStorage;
	// without what Node's documentation does not have: init, usingDomains, kMaxEventTargetListeners and
	// kMaxEventTargetListenersWarned, ReadableState, WritableState and asIndexedPairs.
	"node javascript": `Duplex EventEmitter EventEmitterAsyncResource PassThrough Readable Stream Transform Writable addAbortListener addAbortSignal
addListener bind captureRejectionSymbol captureRejections closed compose cork defaultMaxListeners destroy destroyed disable drop
duplexPair emit end enterWith errorMonitor errored eventNames every exit filter find finished flatMap forEach from fromWeb
getDefaultHighWaterMark getEventListeners getMaxListeners getStore isDestroyed isDisturbed isErrored isPaused isReadable
isWritable iterator listenerCount listeners map off on once pause pipe pipeline prependListener prependOnceListener promises
push rawListeners read readable readableAborted readableBuffer readableDidRead readableEncoding readableEnded readableFlowing
readableHighWaterMark readableLength readableObjectMode reduce removeAllListeners removeListener resume run setDefaultEncoding
setDefaultHighWaterMark setEncoding setMaxListeners snapshot some take toArray toWeb uncork unpipe unshift wrap writable
writableAborted writableBuffer writableCorked writableEnded writableFinished writableHighWaterMark writableLength
writableNeedDrain writableObjectMode write`,
}
