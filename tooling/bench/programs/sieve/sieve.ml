let () =
  let n = int_of_string Sys.argv.(1) in
  let total = ref 0 in
  for _ = 1 to 20 do
    let composite = Bytes.make (n + 1) '\000' in
    let i = ref 2 in
    while !i * !i <= n do
      if Bytes.get composite !i = '\000' then begin
        let j = ref (!i * !i) in
        while !j <= n do Bytes.set composite !j '\001'; j := !j + !i done
      end;
      incr i
    done;
    for i = 2 to n do if Bytes.get composite i = '\000' then incr total done
  done;
  Printf.printf "%d\n" !total
