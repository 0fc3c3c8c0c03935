package main

// #include <ctype.h>
import "C"

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	n := 100000000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	total := 0
	for i := 0; i < n; i++ {
		total += int(C.toupper(C.int(i % 128)))
	}
	fmt.Println(total)
}
