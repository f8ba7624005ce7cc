package compare

import (
	"context"
	"net/http"
	"time"

	"github.com/godwit-go/godwit"
)

// Way is how the work of a request is handled.
type Way string

// The ways that are compared.
const (
	Sync  Way = "synchronous"  // the work is done before the answer
	Async Way = "asynchronous" // 202 at once; the client follows the job
	Wait  Way = "wait"         // Prefer: wait=N: the result if it is there in time, otherwise 202
)

// Ways are all of them, in the order of the table.
var Ways = []Way{Sync, Async, Wait}

// Config says what is measured. All fields but Progress are needed.
type Config struct {
	Requests    int           // of each round
	Concurrency int           // clients at a time; each sends its next request when the last was answered
	Work        time.Duration // that each request needs
	Workers     int           // bound on work done at a time, in every way
	Timeout     time.Duration // of a request, by the client
	Wait        time.Duration // that [Wait] prefers, in whole seconds, shorter than Timeout
	Repeat      int           // rounds of each way, in turns
	Idle        time.Duration // for which the process is watched while it only waits

	Dir  string                                                       // an empty folder for databases
	Open func(ctx context.Context, path string) (godwit.Store, error) // opens a new database
	API  func(c *godwit.Client) http.Handler                          // serves the jobs of a client
	Tell func(way Way, round, of int)                                 // is told of each round before it begins; round 0 is the idle one
}

// Task is what the workers do: the argument is the number of the request.
var Task = godwit.NewTask[int, Answer]("compare.work", godwit.Policy{})
