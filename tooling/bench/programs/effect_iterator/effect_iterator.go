package main

import (
	"fmt"
	"iter"
	"os"
	"strconv"
)

func numbers(high int) iter.Seq[int] {
	return func(emit func(int) bool) {
		for i := 0; i <= high; i++ {
			if !emit(i) {
				return
			}
		}
	}
}

func main() {
	n := 50000000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	sum := 0
	for x := range numbers(n) {
		sum += x
	}
	fmt.Println(sum)
}
