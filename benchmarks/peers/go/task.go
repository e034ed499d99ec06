package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// The verbs in Go, with the semantics of ours: a task has a handle, starts once, and ends with a value or an
// error; a panic and an ended context are errors; anybody may wait for it or continue after it.

var errStarted = errors.New("task has already started")

type task[T any] struct {
	work    func(context.Context) (T, error)
	started atomic.Bool
	mu      sync.Mutex // guards what follows
	ended   bool
	value   T
	err     error
	done    chan struct{} // made by the first that waits
	after   []func()
}

func newTask[T any](work func(context.Context) (T, error)) *task[T] { return &task[T]{work: work} }

func completed[T any](value T) *task[T] {
	t := &task[T]{value: value, ended: true}
	t.started.Store(true)
	return t
}

// run executes the work on this goroutine.
func (t *task[T]) run(ctx context.Context) error {
	if !t.started.CompareAndSwap(false, true) {
		return errStarted
	}
	if err := ctx.Err(); err != nil {
		var none T
		t.end(none, err)
		return err
	}
	value, err := t.call(ctx)
	t.end(value, err)
	return err
}

func (t *task[T]) call(ctx context.Context) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("panic in a task")
		}
	}()
	return t.work(ctx)
}

func (t *task[T]) end(value T, err error) {
	t.mu.Lock()
	t.value, t.err, t.ended = value, err, true
	done, after := t.done, t.after
	t.after = nil
	t.mu.Unlock()
	if done != nil {
		close(done)
	}
	for _, next := range after {
		next()
	}
}

func (t *task[T]) doneChannel() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil
	}
	if t.done == nil {
		t.done = make(chan struct{})
	}
	return t.done
}

// outcome blocks until the task has ended.
func (t *task[T]) outcome() (T, error) {
	if done := t.doneChannel(); done != nil {
		<-done
	}
	return t.value, t.err
}

// outcomeWithin blocks until the task or the context has ended.
func (t *task[T]) outcomeWithin(ctx context.Context) (T, error) {
	if done := t.doneChannel(); done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
	return t.value, t.err
}

func invoke[T any](ctx context.Context, work func(context.Context) (T, error)) *task[T] {
	t := newTask(work)
	go func() { _ = t.run(ctx) }()
	return t
}

// then starts work on a goroutine of its own when t has ended, and passes an error of t on.
func then[T, U any](ctx context.Context, t *task[T], work func(T) (U, error)) *task[U] {
	next := newTask(func(context.Context) (U, error) {
		if t.err != nil {
			var none U
			return none, t.err
		}
		return work(t.value)
	})
	start := func() { go func() { _ = next.run(ctx) }() }
	t.mu.Lock()
	ended := t.ended
	if !ended {
		t.after = append(t.after, start)
	}
	t.mu.Unlock()
	if ended {
		start()
	}
	return next
}

// batch joins the runners of a verb and keeps the first error.
type batch struct {
	group sync.WaitGroup
	first atomic.Pointer[error]
}

func (b *batch) note(err error) {
	if err != nil {
		kept := err // only a failure is moved to the heap
		b.first.CompareAndSwap(nil, &kept)
	}
}

func (b *batch) wait() error {
	b.group.Wait()
	if first := b.first.Load(); first != nil {
		return *first
	}
	return nil
}

// invokeAll runs the tasks, at most limit at a time, and waits for all of them.
func invokeAll[T any](ctx context.Context, limit int, tasks []*task[T]) error {
	var b batch
	var next atomic.Int64
	b.group.Add(limit)
	for i := 0; i < limit; i++ {
		go func() {
			defer b.group.Done()
			for at := next.Add(1); at <= int64(len(tasks)); at = next.Add(1) {
				b.note(tasks[at-1].run(ctx))
			}
		}()
	}
	return b.wait()
}

// consume runs what comes out of the channel, at most limit at a time, until it is closed and drained.
func consume[T any](ctx context.Context, limit int, tasks <-chan *task[T]) error {
	var b batch
	b.group.Add(limit)
	for i := 0; i < limit; i++ {
		go func() {
			defer b.group.Done()
			for t := range tasks {
				b.note(t.run(ctx))
			}
		}()
	}
	return b.wait()
}
