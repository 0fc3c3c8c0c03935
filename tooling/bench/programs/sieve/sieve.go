package main

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	total := 0
	for round := 0; round < 20; round++ {
		composite := make([]bool, n+1)
		for i := 2; i*i <= n; i++ {
			if !composite[i] {
				for j := i * i; j <= n; j += i {
					composite[j] = true
				}
			}
		}
		for i := 2; i <= n; i++ {
			if !composite[i] {
				total++
			}
		}
	}
	fmt.Println(total)
}
