package main

import (
	"fmt"
	"os"
	"strconv"
)

type Cell struct {
	head int
	tail *Cell
}
type List struct {
	head *Cell
	tail *List
}

func safe(q, d int, qs *Cell) bool {
	for ; qs != nil; qs, d = qs.tail, d+1 {
		if qs.head == q || qs.head == q+d || qs.head == q-d {
			return false
		}
	}
	return true
}

func extend(n int, boards *List) *List {
	var out *List
	for ; boards != nil; boards = boards.tail {
		for q := n; q >= 1; q-- {
			if safe(q, 1, boards.head) {
				out = &List{&Cell{q, boards.head}, out}
			}
		}
	}
	return out
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	boards := &List{}
	for k := 0; k < n; k++ {
		boards = extend(n, boards)
	}
	count := 0
	for ; boards != nil; boards = boards.tail {
		count++
	}
	fmt.Println(count)
}
