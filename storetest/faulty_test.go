package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// watched is a store without a fault.
type watched struct{ *model.Store }

// zombie takes the settles of runs that are over for those of the run under way.
type zombie struct{ *model.Store }

func (z *zombie) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return z.settle(ctx, items, func(*godwit.Job, godwit.Token) bool { return true })
}

func (z *zombie) settle(ctx context.Context, items []godwit.Settlement, fits func(*godwit.Job, godwit.Token) bool) ([]godwit.SettleAnswer, error) {
	items = slices.Clone(items)
	for i := range items {
		found, err := z.Get(ctx, []godwit.ID{items[i].Job})
		if err != nil {
			return nil, err
		}
		j := &found[0].Job
		if j.State == godwit.StateRunning && items[i].Run > 0 && items[i].Run < j.Run && j.Session == items[i].Session && fits(j, items[i].Token) {
			items[i].Run = j.Run
		}
	}
	return z.Store.Settle(ctx, items)
}

// refunded tells runs apart by their attempt alone.
type refunded struct{ zombie }

func (r *refunded) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return r.settle(ctx, items, func(j *godwit.Job, t godwit.Token) bool {
		records, _, err := r.Attempts(ctx, t.Job)
		return err == nil && slices.ContainsFunc(records, func(a godwit.Attempt) bool { return a.Run == t.Run && a.Attempt == j.Attempt })
	})
}

// twice calls a repeated settle a new one.
type twice struct{ *model.Store }

func (s *twice) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	answers, err := s.Store.Settle(ctx, items)
	for i := range answers {
		if answers[i].Code == godwit.CodeDuplicate {
			answers[i].Code = ""
		}
	}
	return answers, err
}

// falling takes a run back when it is released.
type falling struct{ *model.Store }

func (s *falling) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	answers, err := s.Store.Get(ctx, ids)
	for i := range answers {
		if j := &answers[i].Job; j.State == godwit.StateReady && j.Releases > 0 {
			j.Run--
		}
	}
	return answers, err
}

// doubled hands out a job again that it has just handed out.
type doubled struct {
	*model.Store
	last []godwit.Job
}

func (s *doubled) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	a, err := s.Store.Claim(ctx, r)
	if err == nil && a.Code == "" && len(a.Jobs) == 0 && len(s.last) > 0 && s.last[0].Queue == r.Queue {
		a.Jobs = s.last
	}
	if len(a.Jobs) > 0 {
		s.last = a.Jobs[:1]
	}
	return a, err
}

// sleepy lets jobs wait for one more that nobody asked for.
type sleepy struct{ *model.Store }

func (s *sleepy) Park(ctx context.Context, items []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	page, err := s.List(ctx, godwit.ListFilter{State: godwit.StateReady, Limit: godwit.PageMax})
	if err != nil || len(page.Jobs) == 0 {
		return s.Store.Park(ctx, items)
	}
	items = slices.Clone(items)
	for i := range items {
		if !items[i].Any && len(items[i].Await) == 1 && items[i].Job != page.Jobs[0].ID {
			items[i].Await = append(slices.Clone(items[i].Await), page.Jobs[len(page.Jobs)-1].ID)
		}
	}
	return s.Store.Park(ctx, items)
}

// silent does not tell events of a kind.
type silent struct {
	*model.Store
	kind godwit.EventKind
}

func (s *silent) Watch(fn func([]godwit.Event)) (stop func()) {
	return s.Store.Watch(func(events []godwit.Event) {
		fn(slices.DeleteFunc(slices.Clone(events), func(e godwit.Event) bool { return e.Kind == s.kind }))
	})
}

// stingy keeps the attempt of a released run.
type stingy struct{ *model.Store }

func (s *stingy) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	items = slices.Clone(items)
	for i := range items {
		if items[i].Outcome == godwit.OutcomeRelease {
			items[i].Outcome, items[i].Delay = godwit.OutcomeRetry, 0
		}
	}
	return s.Store.Settle(ctx, items)
}

// clinging never lets a unique key go.
type clinging struct {
	*model.Store
	held map[string]godwit.ID
}

func (s *clinging) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	if s.held == nil {
		s.held = map[string]godwit.ID{}
	}
	for i := range jobs {
		u := jobs[i].Unique
		if id, ok := s.held[u.Scope+"/"+u.Key]; ok && u.Key != "" && id != jobs[i].ID && len(jobs) == 1 && u.OnClash == godwit.ClashRefuse {
			return []godwit.SubmitAnswer{{Code: godwit.CodeUniqueConflict}}, nil
		}
	}
	answers, err := s.Store.Submit(ctx, jobs)
	for i := range answers {
		if u := jobs[i].Unique; answers[i].Created && u.Key != "" {
			s.held[u.Scope+"/"+u.Key] = answers[i].ID
		}
	}
	return answers, err
}

// skipping forgets one child of each cancelled parent.
type skipping struct{ *model.Store }

func (s *skipping) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		if jobs[i].ChildName == "ready" || jobs[i].ChildName == "second" {
			jobs[i].Detached = true
		}
	}
	return s.Store.Submit(ctx, jobs)
}

// hasty prunes what has hardly finished.
type hasty struct{ *model.Store }

func (s *hasty) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	page, err := s.List(ctx, godwit.ListFilter{State: godwit.StateSucceeded, Limit: 10})
	if err != nil {
		return godwit.PruneAnswer{}, err
	}
	for i := range page.Jobs {
		if _, err := s.Delete(ctx, []godwit.ID{page.Jobs[i].ID}); err != nil {
			return godwit.PruneAnswer{}, err
		}
	}
	return s.Store.Prune(ctx, limit)
}

// half keeps what was good of a refused batch.
type half struct{ *model.Store }

func (s *half) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	answers, err := s.Store.Submit(ctx, jobs)
	for i := range answers {
		if answers[i].Code == godwit.CodeBatchRefused {
			if _, err := s.Store.Submit(ctx, jobs[i:i+1]); err != nil {
				return nil, err
			}
		}
	}
	return answers, err
}

// levelling turns priorities round, and shows them as they were given.
type levelling struct{ *model.Store }

func (s *levelling) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		jobs[i].Priority = -jobs[i].Priority
	}
	return s.Store.Submit(ctx, jobs)
}

func (s *levelling) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	answers, err := s.Store.Get(ctx, ids)
	for i := range answers {
		answers[i].Job.Priority = -answers[i].Job.Priority
	}
	return answers, err
}

func (s *levelling) List(ctx context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	page, err := s.Store.List(ctx, f)
	for i := range page.Jobs {
		page.Jobs[i].Priority = -page.Jobs[i].Priority
	}
	return page, err
}

func (s *levelling) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	a, err := s.Store.Claim(ctx, r)
	for i := range a.Jobs {
		a.Jobs[i].Priority = -a.Jobs[i].Priority
	}
	return a, err
}

// pushy claims in paused queues.
type pushy struct{ *model.Store }

func (s *pushy) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	queues, err := s.Queues(ctx)
	if err != nil {
		return godwit.ClaimAnswer{}, err
	}
	if slices.ContainsFunc(queues, func(q godwit.QueueInfo) bool { return q.Name == r.Queue && q.Paused }) {
		if err := s.PauseQueue(ctx, r.Queue, false); err != nil {
			return godwit.ClaimAnswer{}, err
		}
		a, err := s.Store.Claim(ctx, r)
		if err != nil {
			return a, err
		}
		return a, s.PauseQueue(ctx, r.Queue, true)
	}
	return s.Store.Claim(ctx, r)
}

// discreet does not tell a worker what is to be cancelled.
type discreet struct{ *model.Store }

func (s *discreet) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	a, err := s.Store.Heartbeat(ctx, r)
	a.Cancelled = nil
	return a, err
}

// looking looks before it cancels, and leaves a job alone that has moved since.
type looking struct{ *model.Store }

func (s *looking) Cancel(ctx context.Context, items []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	if len(items) != 1 {
		return s.Store.Cancel(ctx, items)
	}
	before, err := s.Get(ctx, []godwit.ID{items[0].ID})
	if err != nil {
		return nil, err
	}
	window()
	after, err := s.Get(ctx, []godwit.ID{items[0].ID})
	if err != nil {
		return nil, err
	}
	if before[0].Job.State == godwit.StateReady && after[0].Job.State == godwit.StateRunning {
		return []godwit.SettleAnswer{{State: godwit.StateCancelled}}, nil
	}
	return s.Store.Cancel(ctx, items)
}

// racing chooses a job, and hands it out though it has gone meanwhile.
type racing struct{ *model.Store }

func (s *racing) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	page, err := s.List(ctx, godwit.ListFilter{State: godwit.StateReady, Queue: r.Queue})
	if err != nil {
		return godwit.ClaimAnswer{}, err
	}
	window()
	a, err := s.Store.Claim(ctx, r)
	if err != nil || a.Code != "" || len(a.Jobs) > 0 || len(page.Jobs) == 0 {
		return a, err
	}
	found, err := s.Get(ctx, []godwit.ID{page.Jobs[0].ID})
	if err == nil && found[0].Job.State == godwit.StateRunning {
		a.Jobs = append(a.Jobs, found[0].Job)
	}
	return a, err
}

// piecemeal takes a batch item by item.
type piecemeal struct{ *model.Store }

func (s *piecemeal) Cancel(ctx context.Context, items []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	var answers []godwit.SettleAnswer
	for i := range items {
		a, err := s.Store.Cancel(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		answers = append(answers, a...)
		window()
	}
	return answers, nil
}

func (s *piecemeal) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	var answers []godwit.SettleAnswer
	for i := range items {
		a, err := s.Store.Settle(ctx, items[i:i+1])
		if err != nil {
			return nil, err
		}
		answers = append(answers, a...)
		window()
	}
	return answers, nil
}

// lagging answers outcomes as they stood at the call before.
type lagging struct {
	*model.Store
	mu  sync.Mutex
	old map[godwit.ID]godwit.OutcomeAnswer // guarded by mu
}

func (s *lagging) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	answers, err := s.Store.Outcomes(ctx, ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old == nil {
		s.old = map[godwit.ID]godwit.OutcomeAnswer{}
	}
	for i := range answers {
		fresh := answers[i]
		if old, ok := s.old[ids[i]]; ok {
			answers[i] = old
		}
		s.old[ids[i]] = fresh
	}
	return answers, err
}
