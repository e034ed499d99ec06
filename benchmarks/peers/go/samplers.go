package main

import (
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// per says what a figure counts: so many operations a call of the body, in this unit.
type per struct {
	operations float64
	nsInUnit   float64
	unit       string
}

var (
	nsPerCall = per{1, 1, "ns"}
	usPerCall = per{1, 1e3, "us"}
)

func nsPer(operations float64) per { return per{operations, 1, "ns"} }

func memory() (allocs, bytes uint64) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs, stats.TotalAlloc
}

// costs runs body and returns what it allocated for each operation.
func costs(operations float64, body func()) sample {
	allocs, bytes := memory()
	body()
	allocsAfter, bytesAfter := memory()
	return sample{nil, float64(allocsAfter-allocs) / operations, float64(bytesAfter-bytes) / operations}
}

func calibrate(goal time.Duration, body func(int)) int {
	for calls := 1; ; calls *= 2 {
		start := time.Now()
		body(calls)
		if time.Since(start) >= goal/2 {
			return calls * 2
		}
	}
}

// loop measures the mean cost of an operation: body(n) does it n times and runs for minTime.
func loop(s setup, p per, body func(int)) func() sample {
	calls := 0
	return func() sample {
		if calls == 0 {
			calls = calibrate(s.minTime, body)
		}
		body(calls/10 + 1)
		operations := float64(calls) * p.operations
		var elapsed time.Duration
		result := costs(operations, func() {
			start := time.Now()
			body(calls)
			elapsed = time.Since(start)
		})
		value := float64(elapsed.Nanoseconds()) / operations / p.nsInUnit
		result.metrics = []metric{{"", value, p.unit}}
		return result
	}
}

func statusBytes(field string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field) {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib * 1024
		}
	}
	return 0
}

// withMemory adds the growth of the peak resident size, in bytes for each of the operations.
func withMemory(operations float64, take func() sample) func() sample {
	base := statusBytes("VmRSS:")
	return func() sample {
		s := take()
		s.metrics = append(s.metrics, metric{"_memory", (statusBytes("VmHWM:") - base) / operations, "B"})
		return s
	}
}

func percentile(sorted []float64, share float64) float64 {
	return sorted[int(share*float64(len(sorted)-1))]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// afterIdle measures the median latency of body, each time after the process was idle for 2 ms.
func afterIdle(s setup, body func()) func() sample {
	const gap = 2 * time.Millisecond
	times := make([]float64, int(s.minTime/gap)+5)
	return func() sample {
		body()
		result := costs(float64(len(times)), func() {
			for i := range times {
				time.Sleep(gap)
				start := time.Now()
				body()
				times[i] = micros(time.Since(start))
			}
		})
		sort.Float64s(times)
		result.metrics = []metric{{"", percentile(times, 0.5), "us"}}
		return result
	}
}

// cpuMicros returns the CPU time of all threads but the calling one, which only measures.
func cpuMicros() float64 {
	const thisThread = 1 // RUSAGE_THREAD
	total := 0.0
	for who, sign := range map[int]float64{syscall.RUSAGE_SELF: 1, thisThread: -1} {
		var usage syscall.Rusage
		_ = syscall.Getrusage(who, &usage)
		total += sign * micros(time.Duration(usage.Utime.Nano()+usage.Stime.Nano()))
	}
	return total
}

// idle measures the CPU time of a process that nobody asks for anything, in us a second.
func idle(s setup) func() sample {
	window := s.minTime * 10
	return func() sample {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		time.Sleep(20 * time.Millisecond)
		before := cpuMicros()
		time.Sleep(window)
		used := (cpuMicros() - before) / window.Seconds()
		return sample{metrics: []metric{{"", used, "us/s"}}}
	}
}

// deliver returns the times from a `go` statement to the first instruction of the goroutine, sorted.
func deliver(count int, gap time.Duration) []float64 {
	times := make([]float64, count)
	for i := range times {
		time.Sleep(gap)
		var latency time.Duration
		var here atomic.Bool
		start := time.Now()
		go func() {
			latency = time.Since(start)
			here.Store(true)
		}()
		for !here.Load() {
			time.Sleep(gap / 10)
		}
		times[i] = micros(latency)
	}
	sort.Float64s(times)
	return times
}

// load keeps every worker busy: each of its tasks burns 10 us and starts its successor.
type load struct {
	stop    atomic.Bool
	running atomic.Int64
}

func (l *load) turn() {
	for start := time.Now(); time.Since(start) < 10*time.Microsecond; {
	}
	if l.stop.Load() {
		l.running.Add(-1)
	} else {
		go l.turn()
	}
}

// spawnLatency measures the time to the first instruction with the pool asleep and with it busy.
func spawnLatency(s setup) func() sample {
	count := int(s.minTime/time.Millisecond)*3 + 10
	return func() sample {
		var asleep []float64
		result := costs(float64(count), func() { asleep = deliver(count, time.Millisecond) })
		l := load{}
		l.running.Store(int64(2 * s.workers))
		for i := 0; i < 2*s.workers; i++ {
			go l.turn()
		}
		busy := deliver(count, 200*time.Microsecond)
		l.stop.Store(true)
		for l.running.Load() != 0 {
			runtime.Gosched()
		}
		result.metrics = []metric{
			{"_idle_p50", percentile(asleep, 0.5), "us"}, {"_idle_p99", percentile(asleep, 0.99), "us"},
			{"_busy_p50", percentile(busy, 0.5), "us"}, {"_busy_p99", percentile(busy, 0.99), "us"}}
		return result
	}
}
