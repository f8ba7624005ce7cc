package godwit

import "time"

// Bounds on everything. What is over a bound is refused with [CodeTooLarge] or [CodeInvalid], naming the field.
const (
	PayloadMax      = 1 << 20  // bytes of encoded arguments or of an encoded result
	BatchMax        = 10_000   // items in one call
	BatchBytesMax   = 64 << 20 // bytes of arguments in one call
	NameMax         = 128      // bytes of a task, queue or child name
	KeyMax          = 256      // bytes of an idempotency or unique key
	TagsMax         = 16       // tags of a job
	TagMax          = 128      // bytes of a tag
	HeadersMax      = 32       // headers of a job
	HeaderMax       = 1024     // bytes of a header's name and value together
	PageMax         = 1000     // rows of a page
	PageDefault     = 100      // rows of a page when none is asked for
	DepthMax        = 1000     // generations of children below a job
	PriorityMax     = 1000     // highest priority; the lowest is -PriorityMax
	MessageMax      = 16 << 10 // bytes of an error's message or of a log line; longer ones are cut, and say so
	StackMax        = 64 << 10 // bytes of a kept stack; longer ones are cut
	ItemMax         = 64 << 10 // bytes of an emitted item
	LogLinesMax     = 10_000   // log lines of a job
	ItemsMax        = 1 << 20  // emitted items of a job
	AttemptsKeptMax = 100      // attempt records kept of a job, the newest
	TasksMax        = 1000     // tasks one session may announce
	QueuesMax       = 1000     // queues one session may announce
	VersionMax      = 1 << 20  // highest version of a task
)

// Defaults of a job's policy.
const (
	QueueDefault         = "default"
	MaxAttemptsDefault   = 20
	MaxAttemptsMax       = 10_000
	MaxCrashesDefault    = 5
	MaxCrashesMax        = 1000
	TimeoutDefault       = 10 * time.Minute
	KeepSucceededDefault = 24 * time.Hour
	KeepFailedDefault    = 7 * 24 * time.Hour
	KeepMax              = 10 * 365 * 24 * time.Hour
	DelayMax             = 10 * 365 * 24 * time.Hour
	ExpiredMin           = time.Hour   // shortest time for which a pruned id answers expired
	PinnedPause          = time.Minute // for which a job past its time is kept on while it is pinned
	IdempotencyDefault   = 24 * time.Hour
	LeaseDefault         = 12 * time.Second
	LeaseMin             = time.Second
	LeaseMax             = time.Hour
)

// CrashDelay says how long a job waits after its worker died under it for the crashes-th time: not at all after the first,
// then about 1 s, 4 s, 16 s and so on up to 5 minutes, times a factor between 0.5 and 1.5 drawn from the id, so that a job
// that kills its worker and the jobs that died beside it do not meet again. Every [Store] uses it.
func CrashDelay(id ID, crashes int) time.Duration {
	if crashes <= 1 {
		return 0
	}
	base := 5 * time.Minute
	if crashes < 7 {
		base = min(base, time.Second<<(2*(crashes-2)))
	}
	// FNV-1a over the random part of the id and the count: the same on every store.
	h := uint32(2166136261)
	for _, b := range append(id[8:16:16], byte(crashes)) {
		h = (h ^ uint32(b)) * 16777619
	}
	factor := 500 + int(h%1000) // thousandths
	return (base / 1000 * time.Duration(factor)).Truncate(time.Millisecond)
}
