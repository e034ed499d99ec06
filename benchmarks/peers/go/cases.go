package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	million = 1_000_000
	links   = 100_000

	batchSize = 1000
	runners   = 8
)

var sink int // keeps results from being optimized away

func one(context.Context) (int, error) { return 1, nil }

// channelTask is the idiom: a goroutine that answers in a channel of its own.
func channelTask() {
	result := make(chan int, 1)
	go func() { result <- 1 }()
	sink += <-result
}

// onOwnThread keeps the caller's thread for itself, so that goroutines run on others.
func onOwnThread(body func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	body()
}

func repeat(once func()) func(int) {
	return func(n int) {
		for ; n > 0; n-- {
			once()
		}
	}
}

var stop context.CancelFunc // never called: the deadline lasts as long as the process

func underDeadline() context.Context {
	var ctx context.Context
	ctx, stop = context.WithTimeout(context.Background(), time.Hour)
	return ctx
}

// What does one no-op task cost: make it, run it, get its result? Go's goroutine is the peer to beat.
var _ = register("invoke_wait", "goroutine", func(s setup) func() sample {
	return loop(s, nsPerCall, repeat(channelTask))
})

// And from inside a task? Every goroutine is on a worker, so that Go's answer is the same.
var _ = register("invoke_worker", "goroutine", func(s setup) func() sample {
	return loop(s, nsPerCall, repeat(channelTask))
})

// And when the pool fell asleep before?
var _ = register("invoke_cold", "goroutine", func(s setup) func() sample { return afterIdle(s, channelTask) })

// And when the work runs on another thread than the one that waits?
var _ = register("invoke_remote", "goroutine", func(s setup) func() sample {
	body := repeat(channelTask)
	return loop(s, nsPerCall, func(n int) { onOwnThread(func() { body(n) }) })
})

// And under a deadline, which both the task and its waiter obey?
var _ = register("invoke_ctx", "goroutine", func(s setup) func() sample {
	ctx := underDeadline()
	return loop(s, nsPerCall, repeat(func() {
		result := make(chan int, 1)
		go func() {
			if ctx.Err() == nil {
				result <- 1
			}
		}()
		select {
		case value := <-result:
			sink += value
		case <-ctx.Done():
		}
	}))
})
var _ = register("invoke_ctx", "verb", func(s setup) func() sample {
	ctx := underDeadline()
	return loop(s, nsPerCall, repeat(func() {
		value, _ := invoke(ctx, one).outcomeWithin(ctx)
		sink += value
	}))
})

func spawnJoin(n int) {
	for ; n > 0; n-- {
		results := make([]chan int, million)
		for i := range results {
			result := make(chan int, 1)
			results[i] = result
			go func() { result <- 1 }()
		}
		for _, result := range results {
			sink += <-result
		}
	}
}

// The least that a goroutine can be asked for its result: a slot, and one WaitGroup for all.
func spawnJoinSlots(n int) {
	for ; n > 0; n-- {
		slots := make([]int, million)
		var group sync.WaitGroup
		group.Add(million)
		for i := range slots {
			slot := &slots[i]
			go func() {
				*slot = 1
				group.Done()
			}()
		}
		group.Wait()
		sink += slots[0]
	}
}

// What does a task with a handle of its own cost when a million are spawned and then joined? Every goroutine is
// on a worker, so that Go's answer from outside and from a worker is one.
var _ = register("spawn_join", "channel", func(s setup) func() sample {
	return withMemory(million, loop(s, nsPer(million), spawnJoin))
})
var _ = register("spawn_join", "waitgroup", func(s setup) func() sample {
	return withMemory(million, loop(s, nsPer(million), spawnJoinSlots))
})
var _ = register("spawn_join_worker", "waitgroup", func(s setup) func() sample {
	return withMemory(million, loop(s, nsPer(million), spawnJoinSlots))
})

// work is the least that a batch needs: what to do, and where its result goes.
type work struct {
	function func() int
	result   int
}

// makeWork gives each task a life of its own, as its handle may outlive the batch.
func makeWork() []*work {
	tasks := make([]*work, batchSize)
	for i := range tasks {
		tasks[i] = &work{function: func() int { return 1 }}
	}
	return tasks
}

func withRunners(body func()) {
	var group sync.WaitGroup
	group.Add(runners)
	for i := 0; i < runners; i++ {
		go func() {
			body()
			group.Done()
		}()
	}
	group.Wait()
}

func pullByIndex(tasks []*work) {
	var next atomic.Int64
	withRunners(func() {
		for at := next.Add(1); at <= int64(len(tasks)); at = next.Add(1) {
			tasks[at-1].result = tasks[at-1].function()
		}
	})
	sink += tasks[0].result
}

func pullFromChannel() {
	tasks := makeWork()
	queue := make(chan *work, batchSize)
	for _, task := range tasks {
		queue <- task
	}
	close(queue)
	withRunners(func() {
		for task := range queue {
			task.result = task.function()
		}
	})
	sink += tasks[0].result
}

// What does it cost to make 1000 no-op tasks, run them at most 8 at a time, and join? By hand, and as a verb.
var _ = register("invoke_all", "goroutine", func(s setup) func() sample {
	return loop(s, usPerCall, repeat(func() { pullByIndex(makeWork()) }))
})
var _ = register("invoke_all", "verb", func(s setup) func() sample {
	return loop(s, usPerCall, repeat(func() {
		tasks := make([]*task[int], batchSize)
		for i := range tasks {
			tasks[i] = newTask(one)
		}
		if invokeAll(context.Background(), runners, tasks) != nil {
			panic("a task failed")
		}
	}))
})

// What do 1000 tasks in a closed channel cost, taken by 8 consumers? By hand, and as a verb.
var _ = register("consume", "goroutine", func(s setup) func() sample {
	return loop(s, usPerCall, repeat(pullFromChannel))
})
var _ = register("consume", "verb", func(s setup) func() sample {
	return loop(s, usPerCall, repeat(func() {
		tasks := make(chan *task[int], batchSize)
		for i := 0; i < batchSize; i++ {
			tasks <- newTask(one)
		}
		close(tasks)
		if consume(context.Background(), runners, tasks) != nil {
			panic("a task failed")
		}
	}))
})

// What does a task cost that is terminal at birth, and its outcome?
var _ = register("completed", "verb", func(s setup) func() sample {
	return loop(s, nsPerCall, repeat(func() {
		value, _ := completed(1).outcome()
		sink += value
	}))
})

// What does it cost to start work because other work has ended, a link?
var _ = register("chain", "verb", func(s setup) func() sample {
	ctx := context.Background()
	return loop(s, nsPer(links), repeat(func() {
		first := newTask(one)
		last := first
		for i := 0; i < links; i++ {
			last = then(ctx, last, func(value int) (int, error) { return value + 1, nil })
		}
		_ = first.run(ctx)
		value, _ := last.outcome()
		sink += value
	}))
})

// The plain idiom: a goroutine that starts its successor.
var _ = register("chain", "goroutine", func(s setup) func() sample {
	done := make(chan int)
	var link func(left int)
	link = func(left int) {
		if left == 0 {
			done <- 1
			return
		}
		go link(left - 1)
	}
	return loop(s, nsPer(links), repeat(func() {
		go link(links - 1)
		sink += <-done
	}))
})

// What does a runtime cost that is up and has nothing to do, and how soon does it begin when it gets something?
var _ = register("idle", "-", func(s setup) func() sample {
	channelTask()
	return idle(s)
})
var _ = register("spawn_latency", "goroutine", spawnLatency)

// From a thread that no goroutine shares; above, the goroutine that posts gives way on the spot.
var _ = register("spawn_latency", "outside", func(s setup) func() sample {
	take := spawnLatency(s)
	return func() (result sample) {
		onOwnThread(func() { result = take() })
		return result
	}
})
