package main

import "fmt"

// target is what one of our contenders is held to: a peer that does the same work in the same group.
type target struct {
	ours, peer string
}

// targets are those of the project's plan, and what stands nearest to each.
var targets = []target{
	{mapName, channelMapName},
	{"async.Map, unordered", channelMapName},
	{forEachName, channelForEachName},
	{submitName, "pond ResultPool.Submit"},
	{submitName, pondQueuedResultsName},
	{submitName, "pond ResultPool, a group"},
	{submitName, channelResultsName},
	{poolGoName, "pond Go"},
	{poolGoName, pondQueuedName},
	{poolGoName, channelTasksName},
}

// outcome is the median of a contender. The control of its group differs from its twin by the factor noise.
type outcome struct {
	sample
	noise float64
}

// keep adds the outcomes of a group, by the contenders' names. The first two are twins.
func (g group) keep(outcomes map[string]outcome, samples [][]sample) {
	clock, cpu := apart(samples[0], samples[1], nanosOf), apart(samples[0], samples[1], cpuOf)
	for i, c := range g.contenders {
		s := samples[i]
		median := sample{middle(s, nanosOf), middle(s, cpuOf), middle(s, allocsOf), middle(s, bytesOf)}
		outcomes[c.name] = outcome{median, 1 + max(clock, cpu)/100}
	}
}

// judge says which targets are met.
func judge(outcomes map[string]outcome) {
	fmt.Printf("\n## The targets\n\n")
	fmt.Printf("Ours is to be no slower than the peer, on the clock and in processor time; half of the peer's time is what we should like. ")
	fmt.Printf("A difference of no more than that of the group's control from its twin decides nothing, either way.\n\n")
	fmt.Printf("| ours | peer | ns each, ours and the peer's | ratio | processor ns each | ratio | |\n| --- | --- | ---: | ---: | ---: | ---: | --- |\n")
	for _, t := range targets {
		ours, ok := outcomes[t.ours]
		peer, ok2 := outcomes[t.peer]
		if !ok || !ok2 {
			continue // A quick look at some of the groups.
		}
		clock, cpu := ours.nanos/peer.nanos, ours.cpu/peer.cpu
		fmt.Printf("| %s | %s | %.0f, %.0f | %.2f | %.0f, %.0f | %.2f | %s |\n",
			t.ours, t.peer, ours.nanos, peer.nanos, clock, ours.cpu, peer.cpu, cpu, verdict(max(clock, cpu), ours.noise))
	}
}

// verdict compares the worse ratio of the two with what is asked. It takes the noise against each answer alike.
func verdict(ratio, noise float64) string {
	switch {
	case ratio*noise <= 0.5:
		return "met, twice over"
	case ratio*noise <= 1:
		return "met"
	case ratio > noise:
		return "**not met**"
	}
	return "undecided"
}
