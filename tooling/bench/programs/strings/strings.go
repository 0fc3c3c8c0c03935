package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	total := 0
	for round := 0; round < 5; round++ {
		var b strings.Builder
		for i := 0; i < n; i++ {
			b.WriteString("item " + strconv.Itoa(i) + ",")
		}
		for _, field := range strings.Split(b.String(), ",") {
			total += len(field)
		}
	}
	fmt.Println(total)
}
