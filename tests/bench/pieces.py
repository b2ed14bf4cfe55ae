#!/usr/bin/env python3
"""Pieces of fields away from every box: images that hold no white cell.

    pieces.py FOLDER boxes.csv OUT [--each 2] [--side 0.45] [--seed 1] [--every 1]

FOLDER/path for each path of boxes.csv (path,xmin,ymin,xmax,ymax). Writes OUT/pieces/<n>.png and OUT/boxes.csv with a path alone in
each row, as `leukoscope bench --finder OUT OUT/boxes.csv` reads it. A piece keeps a margin of half a box to every box, so that no
cytoplasm is in it. Boxes must be around all white cells, or pieces will hold some.
"""
import argparse
import csv
import os
import random

from PIL import Image


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('folder')
    p.add_argument('boxes')
    p.add_argument('out')
    p.add_argument('--each', type=int, default=2, help='pieces of an image at most')
    p.add_argument('--side', type=float, default=0.45, help='width and height, as a share of the image')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--every', type=int, default=1, help='take every so many images')
    a = p.parse_args()
    draw = random.Random(a.seed)
    images = {}
    with open(a.boxes, newline='') as f:
        for row in csv.DictReader(f):
            images.setdefault(row['path'], []).append([float(row[k]) for k in ('xmin', 'ymin', 'xmax', 'ymax')])
    os.makedirs(os.path.join(a.out, 'pieces'), exist_ok=True)
    n = 0
    with open(os.path.join(a.out, 'boxes.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'xmin', 'ymin', 'xmax', 'ymax'])
        for path, boxes in list(images.items())[::a.every]:
            image = Image.open(os.path.join(a.folder, path)).convert('RGB')
            w, h = int(image.width * a.side), int(image.height * a.side)
            margin = max(max(b[2] - b[0], b[3] - b[1]) for b in boxes) / 2
            made = 0
            for _ in range(60):
                if made == a.each:
                    break
                x, y = draw.randint(0, image.width - w), draw.randint(0, image.height - h)
                if any(b[0] - margin < x + w and b[2] + margin > x and b[1] - margin < y + h and b[3] + margin > y for b in boxes):
                    continue
                name = f'pieces/{n:05d}.png'
                image.crop((x, y, x + w, y + h)).save(os.path.join(a.out, name))
                table.writerow([name, '', '', '', ''])
                made += 1
                n += 1
    print(n, 'pieces')


if __name__ == '__main__':
    main()
