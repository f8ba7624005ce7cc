package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/bench/drive"
)

// What the stores of Godwit offer besides: a file tells before its commits, a server has other processes beside this one.
type (
	fileStore interface {
		godwit.Store
		godwit.Watcher
		godwit.Foreteller
	}
	serverStore interface {
		godwit.Store
		godwit.Watcher
		godwit.Hinter
		godwit.Joiner
	}
)

// watched is a store that tells of commits only when they have happened, so that claims do not join them.
type watched struct {
	godwit.Store
	godwit.Watcher
}

// clock is a store that notes how long its claims take.
type clock struct {
	godwit.Store

	mu     sync.Mutex
	claims []drive.Claim // guarded by mu
}

func (c *clock) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	begin := time.Now()
	answer, err := c.Store.Claim(ctx, r)
	if len(answer.Jobs) > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.claims = append(c.claims, drive.Claim{Begin: begin, Took: time.Since(begin)})
	}
	return answer, err
}

// workedOn gives the store that the worker has. apart: in a file, claims do not join commits; on a server they join none of another store.
func (c *clock) workedOn(apart bool) (godwit.Store, error) {
	switch s := c.Store.(type) {
	case fileStore:
		if apart {
			return watched{c, s}, nil
		}
		return struct {
			*clock
			godwit.Watcher
			godwit.Foreteller
		}{c, s, s}, nil
	case serverStore:
		return struct {
			*clock
			godwit.Watcher
			godwit.Hinter
			godwit.Joiner
		}{c, s, s, s}, nil
	}
	return nil, fmt.Errorf("a store of type %T does not offer what Godwit's stores do", c.Store)
}

// Claims tells how long the claims took. Those that joined a submission are not among them: they took no call of their own.
func (c *contender) Claims() []drive.Claim {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.claims
}
