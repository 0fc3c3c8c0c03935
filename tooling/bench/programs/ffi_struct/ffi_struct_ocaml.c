/* OCaml has no structs of C: a stub makes a pair of one. */
#include <caml/alloc.h>
#include <caml/mlvalues.h>
#include <stdlib.h>

value div_as_pair(intnat a, intnat b) {
    div_t parts = div((int)a, (int)b);
    value pair = caml_alloc_small(2, 0);
    Field(pair, 0) = Val_int(parts.quot);
    Field(pair, 1) = Val_int(parts.rem);
    return pair;
}
