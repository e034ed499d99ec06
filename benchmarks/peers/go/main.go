// Command bench_go answers tools/bench for Go: what goroutines and channels cost, and what the verbs cost when
// they are written in Go with the same semantics. The protocol is that of common/harness.hpp.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// metric is one figure of a sample; suffix is appended to the id.
type metric struct {
	suffix string
	value  float64
	unit   string
}

// sample carries allocations and bytes per operation beside its figures.
type sample struct {
	metrics       []metric
	allocs, bytes float64
}

type setup struct {
	workers int
	minTime time.Duration
}

type benchmark struct {
	id, variant string
	make        func(setup) func() sample
}

var benchmarks []benchmark

func register(id, variant string, make func(setup) func() sample) bool {
	benchmarks = append(benchmarks, benchmark{id, variant, make})
	return true
}

func find(id, variant string) *benchmark {
	for i := range benchmarks {
		if benchmarks[i].id == id && benchmarks[i].variant == variant {
			return &benchmarks[i]
		}
	}
	return nil
}

func serve(take func() sample) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		s := take()
		for _, m := range s.metrics {
			suffix := m.suffix
			if suffix == "" {
				suffix = "-"
			}
			fmt.Printf("%s %.6g %s %.6g %.6g\n", suffix, m.value, m.unit, s.allocs, s.bytes)
		}
		fmt.Println("end")
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench_go --list | --about | ID VARIANT WORKERS MIN_MILLISECONDS")
	os.Exit(2)
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 1 && args[0] == "--list":
		for _, b := range benchmarks {
			fmt.Println(b.id, b.variant)
		}
	case len(args) == 1 && args[0] == "--about":
		fmt.Println(runtime.Version())
	case len(args) == 4:
		b := find(args[0], args[1])
		workers, _ := strconv.Atoi(args[2])
		milliseconds, _ := strconv.Atoi(args[3])
		if b == nil || workers < 1 || milliseconds < 1 {
			usage()
		}
		runtime.GOMAXPROCS(workers)
		serve(b.make(setup{workers, time.Duration(milliseconds) * time.Millisecond}))
	default:
		usage()
	}
}
