/* `qsort` with an OCaml function that compares. */
#include <caml/bigarray.h>
#include <caml/callback.h>
#include <caml/memory.h>
#include <stdint.h>
#include <stdlib.h>

static value order;

static int compare(const void *a, const void *b) {
    return Int_val(caml_callback2(order, Val_long(*(const int64_t *)a), Val_long(*(const int64_t *)b)));
}

value sort_with(value numbers, value function) {
    CAMLparam2(numbers, function);
    order = function;
    caml_register_generational_global_root(&order);
    qsort(Caml_ba_data_val(numbers), Caml_ba_array_val(numbers)->dim[0], sizeof(int64_t), compare);
    caml_remove_generational_global_root(&order);
    CAMLreturn(Val_unit);
}
