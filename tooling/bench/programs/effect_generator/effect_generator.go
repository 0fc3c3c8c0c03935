package main

import (
	"fmt"
	"iter"
	"os"
	"strconv"
)

type tree struct {
	left  *tree
	value int
	right *tree
}

func build(depth int) *tree {
	if depth == 0 {
		return nil
	}
	half := build(depth - 1)
	return &tree{half, depth, half}
}

func (t *tree) walk(yield func(int) bool) bool {
	return t == nil || t.left.walk(yield) && yield(t.value) && t.right.walk(yield)
}

func main() {
	n := 24
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	root := build(n)
	next, stop := iter.Pull(func(yield func(int) bool) { root.walk(yield) })
	defer stop()
	total := 0
	for {
		value, ok := next()
		if !ok {
			break
		}
		total += value
	}
	fmt.Println(total)
}
