external toupper : (int32[@unboxed]) -> (int32[@unboxed]) = "unavailable" "toupper" [@@noalloc]

let () =
  let n = if Array.length Sys.argv > 1 then int_of_string Sys.argv.(1) else 100_000_000 in
  let total = ref 0 in
  for i = 0 to n - 1 do
    total := !total + Int32.to_int (toupper (Int32.of_int (i mod 128)))
  done;
  Printf.printf "%d\n" !total
