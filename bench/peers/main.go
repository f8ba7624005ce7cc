// Command peers is the child of the benchmark that measures the peers of Godwit that are written in Go, or have a client in Go. It is a
// module of its own, so that the versions that they ask for do not change what Godwit is linked with.
package main

import "github.com/godwit-go/godwit/bench/drive"

func main() {
	drive.Main(map[string]func() drive.Contender{
		"river-sqlite":   func() drive.Contender { return newRiverSQLite() },
		"river-postgres": func() drive.Contender { return newRiverPostgres() },
		"backlite":       func() drive.Contender { return &backliteQueue{} },
		"asynq":          func() drive.Contender { return &asynqQueue{} },
		"asynq-always":   func() drive.Contender { return &asynqQueue{} },
		"beanstalkd":     func() drive.Contender { return &beanstalkQueue{} },
		"nats":           func() drive.Contender { return &natsQueue{} },
		"nats-always":    func() drive.Contender { return &natsQueue{always: true} },
		"dbos-sqlite":    func() drive.Contender { return &dbosQueue{} },
		"dbos-postgres":  func() drive.Contender { return &dbosQueue{} },
	})
}
