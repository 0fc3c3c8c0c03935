package main

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	n := 50000000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	total := 0
	for i := 0; i < n; i++ {
		parts := C.div(C.int(i), 7)
		total += int(parts.quot) + int(parts.rem)
	}
	fmt.Println(total)
}
