package main

import (
	"fmt"
	"os"
	"strconv"
)

type iter func() (int, bool)

func rangeIter(a, b int) iter {
	return func() (int, bool) {
		if a >= b {
			return 0, false
		}
		a++
		return a - 1, true
	}
}

func mapIter(it iter, f func(int) int) iter {
	return func() (int, bool) {
		x, ok := it()
		if !ok {
			return 0, false
		}
		return f(x), true
	}
}

func filterIter(it iter, f func(int) bool) iter {
	return func() (int, bool) {
		for {
			x, ok := it()
			if !ok || f(x) {
				return x, ok
			}
		}
	}
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	it := mapIter(filterIter(mapIter(rangeIter(0, n), func(i int) int { return i*3 + 1 }),
		func(x int) bool { return x%2 == 0 }), func(x int) int { return x / 2 })
	sum := 0
	for x, ok := it(); ok; x, ok = it() {
		sum += x
	}
	fmt.Println(sum)
}
