package main

import (
	"fmt"
	"os"
	"strconv"
)

type Node struct {
	left, right *Node
	key         string
	value       int
	height      int
}

func height(n *Node) int {
	if n == nil {
		return 0
	}
	return n.height
}

func node(l *Node, key string, value int, r *Node) *Node {
	return &Node{l, r, key, value, 1 + max(height(l), height(r))}
}

func balance(l *Node, key string, value int, r *Node) *Node {
	if height(l) > height(r)+1 {
		if height(l.left) >= height(l.right) {
			return node(l.left, l.key, l.value, node(l.right, key, value, r))
		}
		m := l.right
		return node(node(l.left, l.key, l.value, m.left), m.key, m.value, node(m.right, key, value, r))
	}
	if height(r) > height(l)+1 {
		if height(r.right) >= height(r.left) {
			return node(node(l, key, value, r.left), r.key, r.value, r.right)
		}
		m := r.left
		return node(node(l, key, value, m.left), m.key, m.value, node(m.right, r.key, r.value, r.right))
	}
	return node(l, key, value, r)
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func insert(n *Node, key string, value int) *Node {
	if n == nil {
		return node(nil, key, value, nil)
	}
	if key < n.key {
		return balance(insert(n.left, key, value), n.key, n.value, n.right)
	}
	if key > n.key {
		return balance(n.left, n.key, n.value, insert(n.right, key, value))
	}
	return node(n.left, key, value, n.right)
}

func get(n *Node, key string) int {
	for n != nil {
		if key == n.key {
			return n.value
		}
		if key < n.key {
			n = n.left
		} else {
			n = n.right
		}
	}
	return 0
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	var m *Node
	for i := 0; i < n; i++ {
		m = insert(m, "key"+strconv.Itoa(i*7919%n), i)
	}
	sum := 0
	for i := 0; i < n; i++ {
		sum += get(m, "key"+strconv.Itoa(i))
	}
	fmt.Println(sum)
}
