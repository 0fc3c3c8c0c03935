let () =
  let n = int_of_string Sys.argv.(1) in
  let total = ref 0 in
  for _ = 1 to 5 do
    let b = Buffer.create 64 in
    for i = 0 to n - 1 do Buffer.add_string b ("item " ^ string_of_int i ^ ",") done;
    List.iter (fun field -> total := !total + String.length field) (String.split_on_char ',' (Buffer.contents b))
  done;
  Printf.printf "%d\n" !total
