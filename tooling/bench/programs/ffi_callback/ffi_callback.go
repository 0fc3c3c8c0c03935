package main

// #include <stdlib.h>
// typedef const void *pointer;
// extern int compare(pointer, pointer);
// typedef int (*comparison)(const void *, const void *);
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"
)

//export compare
func compare(a, b C.pointer) C.int {
	x, y := *(*int64)(unsafe.Pointer(a)), *(*int64)(unsafe.Pointer(b))
	if x < y {
		return -1
	}
	if x > y {
		return 1
	}
	return 0
}

func main() {
	n := 2000000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = int64(i) * 7919 % 1000003
	}
	C.qsort(unsafe.Pointer(&numbers[0]), C.size_t(n), 8, C.comparison(C.compare))
	fmt.Println(numbers[n/2])
}
