/* What the Reml program comes to without an executor: a task is allocated, run and freed. */
#include <stdio.h>
#include <stdlib.h>

struct task {
  long (*code)(long);
  long argument, result;
};

__attribute__((noinline)) static long step(long n) {
  return n % 7;
}

int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 1000, sum = 0;
  for (long i = 0; i < n; i++) {
    struct task *volatile task = malloc(sizeof *task);
    task->code = step;
    task->argument = i;
    task->result = task->code(task->argument);
    sum += task->result;
    free(task);
  }
  printf("%ld\n", sum);
  return 0;
}
