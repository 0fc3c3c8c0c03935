module M = Map.Make (String)
let () =
  let n = int_of_string Sys.argv.(1) in
  let map = ref M.empty in
  for i = 0 to n - 1 do map := M.add ("key" ^ string_of_int (i * 7919 mod n)) i !map done;
  let sum = ref 0 in
  for i = 0 to n - 1 do sum := !sum + (match M.find_opt ("key" ^ string_of_int i) !map with Some v -> v | None -> 0) done;
  Printf.printf "%d\n" !sum
