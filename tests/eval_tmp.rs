use leukoscope::imaging::*;
use leukoscope::domain::*;
use std::collections::BTreeMap;
fn main(){
  let d=std::path::Path::new("/work/shared/data/fields");
  for set in ["bccd","txl","hard"] {
    let (csvp,base)= if set=="hard" {(d.join("hard/boxes.csv"),d.join("hard"))} else {(d.join("boxes.csv"),d.to_owned())};
    let mut boxes: BTreeMap<String,Vec<[f64;4]>> = BTreeMap::new();
    let mut r=csv::Reader::from_path(csvp).unwrap();
    for rec in r.records(){ let rec=rec.unwrap(); if set!="hard" && !rec[0].starts_with(set){continue;} boxes.entry(rec[0].to_string()).or_default().push(std::array::from_fn(|i| rec[i+1].parse().unwrap())); }
    let (mut n,mut hit,mut nb,mut found,mut fals,mut single)=(0,0,0,0,0,0);
    let mut td=0.0; let mut tf=0.0; let mut bad=vec![];
    let how=CellPreprocessing{side_factor:2.6,white:235.0,white_percentile:95.0};
    for (p,bs) in &boxes {
      let bytes=std::fs::read(base.join(p)).unwrap();
      let t=std::time::Instant::now(); let dec=decode(&bytes,Limits::default()).unwrap(); td+=t.elapsed().as_secs_f64();
      let t=std::time::Instant::now(); let f=find_cells(&dec.picture,95.0); tf+=t.elapsed().as_secs_f64();
      n+=1; nb+=bs.len(); if f.scene==Scene::SingleCell{single+=1;}
      let inside=|x:f64,y:f64,b:&[f64;4]| x>=b[0]&&x<=b[2]&&y>=b[1]&&y<=b[3];
      let one_ok=f.cells.first().is_some_and(|c| bs.iter().any(|b| inside(c.x,c.y,b)));
      if one_ok {hit+=1;} 
      if let Ok(o)=std::env::var("DUMP"){use std::io::Write; let mut fo=std::fs::OpenOptions::new().append(true).create(true).open(o).unwrap(); for (i,c) in f.cells.iter().enumerate(){writeln!(fo,"{set},{p},{i},{},{},{},{},{},{},{},{:?},{},{},{}",c.x,c.y,c.diameter,c.extent,c.area,c.strength,bs.iter().position(|b| inside(c.x,c.y,b)).map_or(-1,|v| v as i32),f.scene,dec.picture.width(),dec.picture.height(),bs.len()).unwrap();}}
 let all:Vec<_>=f.field_cells().collect();
      let fo=bs.iter().filter(|b| all.iter().any(|c| inside(c.x,c.y,b))).count(); found+=fo;
      let fa=all.iter().filter(|c| !bs.iter().any(|b| inside(c.x,c.y,b))).count(); fals+=fa;
      if !one_ok||fo<bs.len()||fa>0 {bad.push(format!("{p} one={one_ok} found={fo}/{} false={fa}",bs.len()));}
      let _=Square{x:0.,y:0.,side:0.}; let _=square_of; let _=&how;
    }
    println!("{set}: n={n} one={:.1}% found={:.1}% false/img={:.3} single={single} decode={:.2}ms find={:.2}ms",100.*hit as f64/n as f64,100.*found as f64/nb as f64,fals as f64/n as f64,td*1e3/n as f64,tf*1e3/n as f64);
    if std::env::args().nth(1).is_some(){for b in bad{println!("   {b}");}}
  }
}
