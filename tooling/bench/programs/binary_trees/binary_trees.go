package main

import (
	"fmt"
	"os"
	"strconv"
)

type Node struct{ left, right *Node }

func make_(d int) *Node {
	if d == 0 {
		return &Node{}
	}
	return &Node{make_(d - 1), make_(d - 1)}
}

func (n *Node) check() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.check() + n.right.check()
}

func main() {
	max, _ := strconv.Atoi(os.Args[1])
	fmt.Printf("stretch %d\n", make_(max+1).check())
	keep := make_(max)
	for d := 4; d <= max; d += 4 {
		n, sum := 1<<(max-d+4), 0
		for i := 0; i < n; i++ {
			sum += make_(d).check()
		}
		fmt.Printf("%d trees of depth %d: %d\n", n, d, sum)
	}
	fmt.Printf("kept %d\n", keep.check())
}
