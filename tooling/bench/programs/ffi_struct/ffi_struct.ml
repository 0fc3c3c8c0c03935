external div : (int[@untagged]) -> (int[@untagged]) -> int * int = "unavailable" "div_as_pair"

let () =
  let n = if Array.length Sys.argv > 1 then int_of_string Sys.argv.(1) else 50_000_000 in
  let total = ref 0 in
  for i = 0 to n - 1 do
    let quot, rem = div i 7 in
    total := !total + quot + rem
  done;
  Printf.printf "%d\n" !total
