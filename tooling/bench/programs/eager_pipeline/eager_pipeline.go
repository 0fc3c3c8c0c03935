package main

import (
	"fmt"
	"os"
	"strconv"
)

func mapSlice(xs []int, f func(int) int) []int {
	out := make([]int, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

func filterSlice(xs []int, f func(int) bool) []int {
	var out []int
	for _, x := range xs {
		if f(x) {
			out = append(out, x)
		}
	}
	return out
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	total := 0
	for round := 0; round < 5; round++ {
		xs := make([]int, n)
		for i := range xs {
			xs[i] = i
		}
		xs = mapSlice(filterSlice(mapSlice(xs, func(i int) int { return i*3 + 1 }),
			func(x int) bool { return x%2 == 0 }), func(x int) int { return x / 2 })
		for _, x := range xs {
			total += x
		}
	}
	fmt.Println(total)
}
