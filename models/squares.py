#!/usr/bin/env python3
"""Makes the squares that the bundled model learns from, out of images of three laboratories (needs numpy and opencv-python-headless).

    squares.py list DATA OUT      writes OUT/boxes.csv: every image that is looked at, for `leukoscope bench --finder ... --places`
    squares.py make DATA OUT      reads OUT/places.csv, writes OUT/img and OUT/squares.csv, a dataset for `leukoscope train`
    squares.py few DATA OUT       reads OUT/squares.csv, writes OUT/few.csv: a share of them, for leaving each laboratory out
    squares.py flags DATA OUT     writes OUT/flags.csv, for `leukoscope train --epochs 0 --flag ...`
    squares.py mine DATA OUT      the same, with what a model took wrongly for cells (OUT/mined-places.csv) twice
    squares.py recolour DATA OUT  writes OUT/re and OUT/recoloured.csv: images in drawn colours, for `--places` again
    squares.py rest DATA OUT      reads OUT/recoloured-places.csv, writes OUT/rest.csv: what a model took wrongly for cells there, among cells

DATA has train/train.csv (path,label,group,source) and more/more.csv (the same and x,y,side). Whatever a class or "not a white cell" is made
of is made of each laboratory alike, or the network would learn the laboratory instead. Images of other laboratories are never read.
models/README.md has the whole recipe.
"""
import argparse
import csv
import math
import os
import random

import cv2
import numpy as np

NOT = 'not a white cell'
CLASSES = ['basophil', 'eosinophil', 'lymphocyte', 'monocyte', 'neutrophil']
# Of each class of one laboratory that are changed at most, the others are taken as they are; Chulalongkorn has a fifth of that, and is
# changed several times.
CELLS = 900
# Every so many-th group is validation, of cells as they are alone.
VALIDATION = 14
# A square is this many diameters of its nucleus wide (as the finder cuts it).
SQUARE = 2.6


def read(path):
    with open(path, newline='') as f:
        return list(csv.DictReader(f))


def images_of(data):
    """Rows of both tables: path below DATA, label, group, source, square or None."""
    out = []
    for table in ('train/train.csv', 'more/more.csv'):
        folder = os.path.dirname(table)
        for r in read(os.path.join(data, table)):
            square = tuple(float(r[k]) for k in ('x', 'y', 'side')) if r.get('side') else None
            out.append((f"{folder}/{r['path']}", r['label'], r['group'], r['source'], square))
    return out


def list_images(data, out):
    boxes, seen = [], set()
    for path, label, _, _, square in images_of(data):
        if label not in CLASSES:
            continue
        if square:
            x, y, side = square
            inner = side / SQUARE * 0.75
            cx, cy = x + side / 2, y + side / 2
            boxes.append([path, cx - inner, cy - inner, cx + inner, cy + inner])
        elif path not in seen:
            boxes.append([path, '', '', '', ''])
        seen.add(path)
    with open(os.path.join(out, 'boxes.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'xmin', 'ymin', 'xmax', 'ymax'])
        table.writerows(boxes)


def absorbance(rgb, background):
    return -np.log(np.clip(rgb.astype(np.float32) / background, 2 / 255, 1.3))


def drawn_colours(rng):
    """Background, red cells and nuclei within what cameras write: red cells absorb green and blue more than red, nuclei red and green more
    than blue."""
    background = np.array([rng.uniform(125, 252), rng.uniform(130, 252), rng.uniform(110, 252)])
    red = np.array([rng.uniform(0.03, 0.6), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.7)])
    nucleus = np.array([rng.uniform(0.35, 1.6), rng.uniform(0.4, 1.6), rng.uniform(-0.2, 0.8)])
    return background, red, nucleus


def recoloured(rgb, squares, rng):
    """The image in another laboratory's colours: taken apart into red-cell and nuclear absorbance and put together with drawn ones; `None`
    where the two cannot be told apart."""
    soft = cv2.GaussianBlur(rgb, (0, 0), 1)
    light = soft.sum(2, dtype=np.int32)
    background = np.median(soft[light >= np.percentile(light, 60)].reshape(-1, 3), axis=0).astype(np.float32)
    od = absorbance(rgb, np.maximum(background, 1))
    total = od.sum(2)
    inside = np.zeros(total.shape, bool)
    for x, y, side in squares:
        r = side / SQUARE / 2
        cx, cy = x + side / 2, y + side / 2
        inside[max(0, int(cy - r)):max(0, int(cy + r)) + 1, max(0, int(cx - r)):max(0, int(cx + r)) + 1] = True
    if inside.sum() < 40 or (~inside).sum() < 200:
        return None
    outside = total[~inside]
    cut, _ = cv2.threshold(np.clip(outside / 3 * 255, 0, 255).astype(np.uint8).reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    things = (~inside) & (total > cut / 255 * 3)
    if things.sum() < 40:
        return None
    red = od[things].mean(0)
    box = od[inside]
    t = box.sum(1)
    basis = np.stack([box[t >= np.percentile(t, 80)].mean(0), red], 1).astype(np.float32)
    if np.linalg.cond(basis) > 40:
        return None
    share = np.linalg.pinv(basis).astype(np.float32) @ od.reshape(-1, 3).T
    rest = od.reshape(-1, 3) - (basis @ share).T
    new_background, new_red, new_nucleus = drawn_colours(rng)
    target = np.stack([new_nucleus, new_red], 1)
    out = new_background.astype(np.float32) * np.exp(-((target.astype(np.float32) @ share).T + 0.5 * rest))
    return np.clip(out, 0, 255).astype(np.uint8).reshape(rgb.shape)


def overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[2], b[1] + b[2]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / (a[2] ** 2 + b[2] ** 2 - both)


def distance(a, b):
    """Between the centres, in sides of `a`."""
    return math.hypot(a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[2] / 2 - b[1] - b[2] / 2) / a[2]


def wrong_squares(cell, cells, size, rng):
    """Squares that sit badly on a cell: beside it, far too small, far too large."""
    x, y, side = cell
    cx, cy = x + side / 2, y + side / 2
    out = []
    angle = rng.uniform(0, 2 * math.pi)
    far = rng.uniform(0.42, 0.75) * side
    s = side * rng.uniform(0.75, 1.3)
    mx, my = cx + far * math.cos(angle), cy + far * math.sin(angle)
    if 0 <= mx < size[0] and 0 <= my < size[1]:
        out.append((mx - s / 2, my - s / 2, s))
    s = side * rng.uniform(0.28, 0.46)
    angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.0, 0.2) * side
    out.append((cx + far * math.cos(angle) - s / 2, cy + far * math.sin(angle) - s / 2, s))
    s = side * rng.uniform(2.0, 3.4)
    angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.0, 0.4) * side
    out.append((cx + far * math.cos(angle) - s / 2, cy + far * math.sin(angle) - s / 2, s))
    # A square beside one cell may sit well on another.
    return [o for o in out if all(overlap(o, c) < 0.5 for c in cells)]


def alone(rgb, square, rng):
    """The cell cut tight, or alone on one ground: what other programs make of cells. Returns the image and the square in it."""
    x, y, side = square
    cx, cy = x + side / 2, y + side / 2
    h, w = rgb.shape[:2]
    r = side * rng.uniform(0.27, 0.42)
    x0, y0, x1, y1 = (int(round(v)) for v in (max(0, cx - r), max(0, cy - r), min(w, cx + r), min(h, cy + r)))
    if x1 - x0 < 12 or y1 - y0 < 12:
        return None
    if rng.random() < 0.6:
        return rgb[y0:y1, x0:x1].copy(), (x - x0, y - y0, side)
    light = rgb.sum(2)
    ground = np.median(rgb[light >= np.percentile(light, 85)].reshape(-1, 3), axis=0)
    if rng.random() < 0.3:
        ground = np.array([rng.choice([0, 255])] * 3)
    yy, xx = np.mgrid[0:h, 0:w]
    mask = (np.clip(r * 1.05 - np.hypot(xx - cx, yy - cy), -1.5, 1.5) / 3 + 0.5)[..., None]
    return (rgb * mask + ground * (1 - mask)).astype(np.uint8), square


def cut_by_edge(rgb, square, rng):
    """The image with an edge through the cell: its own, or a black border as a turned or stitched image has. Returns the image, the square
    that the finder would cut, and whether enough of the nucleus is left to name it."""
    x, y, side = square
    d = side / SQUARE
    enough = rng.random() < 0.85
    gone = rng.uniform(-0.1, 0.42) if enough else rng.uniform(0.68, 0.9)
    angle = rng.choice([0, 90, 180, 270]) + (rng.uniform(-30, 30) if rng.random() < 0.5 else 0)
    ux, uy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    cx, cy = x + side / 2, y + side / 2
    # The edge is a line at this distance from the centre, towards (ux, uy).
    at = d * (0.5 - gone)
    h, w = rgb.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w]
    beyond = (xx - cx) * ux + (yy - cy) * uy > at
    if beyond.mean() > 0.7:
        return None
    left = max(gone, 0.0)
    # What is left of the nucleus lies that much further from the edge, and is a little smaller.
    nx, ny, new_side = cx - ux * left * d / 2, cy - uy * left * d / 2, side * (1 - 0.35 * left)
    out = rgb.copy()
    if angle in (0, 90, 180, 270) and rng.random() < 0.75:
        keep = np.argwhere(~beyond)
        (y0, x0), (y1, x1) = keep.min(0), keep.max(0) + 1
        out, nx, ny = out[y0:y1, x0:x1].copy(), nx - x0, ny - y0
        if min(out.shape[:2]) < 16:
            return None
    else:
        out[beyond] = 255 if rng.random() < 0.15 else rng.randint(0, 12)
        if rng.random() < 0.5:
            # As saved by a program that compresses.
            out = cv2.cvtColor(cv2.imdecode(cv2.imencode('.jpg', cv2.cvtColor(out, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, rng.randint(60, 95)])[1], 1), cv2.COLOR_BGR2RGB)
    return out, (nx - new_side / 2, ny - new_side / 2, new_side), enough


def no_image(rng, side=160):
    """Things that are no smear: text, bars, lines, edges, noise, one colour, shapes."""
    ground = np.array([rng.randint(0, 255) for _ in range(3)]) if rng.random() < 0.5 else np.array([rng.randint(190, 255)] * 3)
    image = np.tile(ground.astype(np.uint8), (side, side, 1))
    ink = tuple(rng.randint(0, 255) for _ in range(3))
    kind = rng.randrange(7)
    if kind == 0:
        for k in range(rng.randint(1, 6)):
            text = ''.join(rng.choice('ABCDEFGHKLMNOPRSTUVXYZ0123456789 .:-/µm') for _ in range(rng.randint(2, 14)))
            cv2.putText(image, text, (rng.randint(-20, 60), 20 + 26 * k), rng.choice([0, 1, 2, 3, 4]), rng.uniform(0.4, 1.6), ink, rng.randint(1, 4), cv2.LINE_AA)
    elif kind == 1:
        cv2.rectangle(image, (rng.randint(-40, 90), rng.randint(0, 120)), (rng.randint(60, 200), rng.randint(20, 160)), ink, -1)
    elif kind == 2:
        for _ in range(rng.randint(1, 12)):
            cv2.line(image, (rng.randint(0, side), rng.randint(0, side)), (rng.randint(0, side), rng.randint(0, side)), ink, rng.randint(1, 9), cv2.LINE_AA)
    elif kind == 3:
        noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(5, 60), image.shape)
        image = np.clip(image + cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.3, 6)) * rng.uniform(1, 4), 0, 255).astype(np.uint8)
    elif kind == 4:
        ramp = np.linspace(0, 1, side)[None, :, None] ** rng.uniform(0.3, 3)
        image = (image * ramp + np.array(ink) * (1 - ramp)).astype(np.uint8)
        image = np.rot90(image, rng.randrange(4)).copy()
    elif kind == 5:
        points = np.array([[rng.randint(20, 140), rng.randint(20, 140)] for _ in range(rng.randint(3, 6))])
        cv2.fillPoly(image, [points], ink, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 3)) if rng.random() < 0.5 else image


class Squares:
    """The dataset as it is made."""

    def __init__(self, data, out):
        self.data, self.out, self.rows, self.n = data, out, [], 0
        os.makedirs(os.path.join(out, 'img'), exist_ok=True)

    def take(self, path, square, label, group, source, split='train'):
        at = os.path.relpath(os.path.join(self.data, path), self.out)
        self.rows.append([at, label, group, source, split, *(f'{v:.1f}' for v in square)])

    def draw(self, rgb, square, label, group, source):
        name = f'img/{self.n:06d}.jpg'
        self.n += 1
        cv2.imwrite(os.path.join(self.out, name), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 94])
        self.rows.append([name, label, group, source, 'train', *(f'{v:.1f}' for v in square)])

    def write(self, name):
        with open(os.path.join(self.out, name), 'w', newline='') as f:
            table = csv.writer(f)
            table.writerow(['path', 'label', 'group', 'source', 'split', 'x', 'y', 'side'])
            table.writerows(self.rows)
        counts = {}
        for r in self.rows:
            counts[(r[3], r[1], r[4])] = counts.get((r[3], r[1], r[4]), 0) + 1
        for k in sorted(counts):
            print(*k, counts[k])
        print(len(self.rows), 'squares')


def load(data, path):
    return cv2.cvtColor(cv2.imread(os.path.join(data, path)), cv2.COLOR_BGR2RGB)


def places_of(out, path='places.csv'):
    places = {}
    for r in read(os.path.join(out, path)):
        square = tuple(float(r[k]) for k in ('x', 'y', 'side'))
        places.setdefault(r['path'], []).append((square, float(r['doubt'] or 0), r['box']))
    return places


def cells_of(rows, places, size_of):
    """Images with the squares of their cells: (path, source, group, [(square, label)]). In an image of one cell it is the first place, where
    that is about in the middle."""
    fields, order = {}, []
    for path, label, group, source, square in rows:
        if label not in CLASSES:
            continue
        if path not in fields:
            fields[path] = (source, group, [])
            order.append(path)
        if square is None:
            first = places.get(path)
            # A square that is doubted, or far larger than the image, was measured on the cell and a neighbour together.
            if not first or first[0][1] > 0.3 or first[0][0][2] > 1.15 * size_of(path):
                continue
            square = first[0][0]
        fields[path][2].append((square, label))
    return [(path, *fields[path]) for path in order if fields[path][2]]


def made_of_cells(squares, rng, cells, places, repeat, changed):
    """A field or an image of one cell, as it is, and where it is among `changed` also changed, and what in it is no cell."""
    for path, source, group, own in cells:
        if group in squares.validation:
            for square, label in own:
                squares.take(path, square, label, group, source, 'validation')
            continue
        if path not in changed:
            for square, label in own:
                squares.take(path, square, label, group, source)
            continue
        rgb = load(squares.data, path)
        h, w = rgb.shape[:2]
        at = [square for square, _ in own]
        others = [p for p, doubt, _ in places.get(path, []) if doubt > 0.2 and all(distance(c, p) > 0.6 and overlap(c, p) < 0.25 for c in at)]
        rng.shuffle(others)
        for turn in range(repeat[source]):
            new = recoloured(rgb, at, rng) if turn > 0 or rng.random() < 0.5 else None
            for square, label in own:
                like = [p for p, _, _ in places.get(path, []) if overlap(square, p) > 0.6] or [square]
                if turn == 0:
                    squares.take(path, square, label, group, source)
                elif new is None:
                    squares.take(path, rng.choice(like), label, group, source)
                if new is not None:
                    squares.draw(new, rng.choice(like) if rng.random() < 0.5 else square, label, group, source)
                if rng.random() < 0.16:
                    made = alone(new if new is not None and rng.random() < 0.4 else rgb, square, rng)
                    if made:
                        squares.draw(*made, label, group, source)
                if rng.random() < 0.22:
                    made = cut_by_edge(new if new is not None and rng.random() < 0.4 else rgb, square, rng)
                    if made:
                        squares.draw(*made[:2], label if made[2] else NOT, group, source)
                wrong = wrong_squares(square, at, (w, h), rng)
                for bad in rng.sample(wrong, min(len(wrong), 1)):
                    if new is not None and rng.random() < 0.5:
                        squares.draw(new, bad, NOT, group, source)
                    else:
                        squares.take(path, bad, NOT, group, source)
            for bad in others[turn * 3:turn * 3 + (1 if source != 'chula' else 2)]:
                if new is not None and rng.random() < 0.5:
                    squares.draw(new, bad, NOT, group, source)
                else:
                    squares.take(path, bad, NOT, group, source)


def given_negatives(squares, rng, rows):
    """What the table calls no white cell, as it is and in other colours; a third as many platelets."""
    some = [r for r in rows if r[1] == NOT or (r[1] == 'platelet' and rng.random() < 0.5)]
    for path, _, group, source, square in some:
        rgb = load(squares.data, path)
        h, w = rgb.shape[:2]
        if square is None:
            # A platelet in the middle of its image: as the finder would cut it, and wider.
            side = min(h, w) * rng.uniform(0.35, 1.0)
            square = (w / 2 - side / 2, h / 2 - side / 2, side)
        for _ in range(2 if source == 'chula' else 1):
            squares.take(path, square, NOT, group, source)
        new = recoloured(rgb, [square], rng) if rng.random() < (1.0 if source == 'chula' else 0.4) else None
        if new is not None:
            squares.draw(new, square, NOT, group, source)
    for i in range(900):
        image = no_image(rng)
        side = 160 * rng.uniform(0.4, 1.3)
        square = (80 - side / 2 + rng.uniform(-30, 30), 80 - side / 2 + rng.uniform(-30, 30), side)
        source = ['pbc', 'raabin', 'chula'][i % 3]
        squares.draw(image, square, NOT, f'{source}-drawn-{i % 14}', source)


def chosen(rows, rng):
    """At most [`CELLS`] of a class and laboratory."""
    by = {}
    for r in rows:
        by.setdefault((r[3], r[1]), []).append(r)
    out = []
    for (_, label), members in sorted(by.items()):
        members = members[:]
        rng.shuffle(members)
        out += members[:CELLS] if label in CLASSES and members[0][4] is None else members
    return out


def make(data, out, seed, mined):
    rng = random.Random(seed)
    rows, places = images_of(data), places_of(out)
    squares = Squares(data, out)
    # Chulalongkorn's slides are too few to do without one.
    squares.validation = set()
    for source in ('pbc', 'raabin'):
        groups = sorted({r[2] for r in rows if r[3] == source and r[1] in CLASSES})
        squares.validation.update(rng.sample(groups, max(1, len(groups) // VALIDATION)))
    changed = {path for path, *_ in chosen(rows, rng)}
    cells = cells_of(rows, places, lambda path: min(load(data, path).shape[:2]))
    made_of_cells(squares, rng, cells, places, {'pbc': 1, 'raabin': 1, 'chula': 6}, changed)
    given_negatives(squares, rng, [r for r in rows if r[2] not in squares.validation])
    if mined:
        mine(squares, cells)
    squares.write('mined.csv' if mined else 'squares.csv')


def few(out, seed):
    """At most 350 of each class and laboratory, and 1,400 that are no white cell."""
    rng = random.Random(seed)
    by = {}
    for r in read(os.path.join(out, 'squares.csv')):
        by.setdefault((r['source'], r['label'], r['split']), []).append(list(r.values()))
    with open(os.path.join(out, 'few.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'label', 'group', 'source', 'split', 'x', 'y', 'side'])
        for (_, label, split), members in sorted(by.items()):
            rng.shuffle(members)
            table.writerows(members if split == 'validation' else members[:1400 if label == NOT else 350])


def flags(data, out):
    """All images of both tables, for the flags: kinds that one laboratory alone has are among them."""
    with open(os.path.join(out, 'flags.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'label', 'group', 'source', 'x', 'y', 'side'])
        for path, label, group, source, square in images_of(data):
            table.writerow([os.path.relpath(os.path.join(data, path), out), label, group, source, *(square or ('', '', ''))])


def mine(squares, cells):
    """What a model took wrongly for a cell: in OUT/mined-places.csv, of the dataset's own images without a cell and of fields."""
    known = {path: [s for s, _ in own] for path, _, _, own in cells}
    group = {path: (source, group) for path, source, group, _ in cells}
    for path, found in places_of(squares.out, 'mined-places.csv').items():
        own = known.get(path)
        if own is None or group[path][1] in squares.validation:
            continue
        for square, doubt, _ in found:
            # Surely something else than the cell, and not a second cell of an image of one (those are few, and sit whole in the image).
            if doubt < 0.5 and all(distance(c, square) > 0.42 or not 0.45 < square[2] / c[2] < 2.0 for c in own):
                if group[path][0] == 'chula' or doubt > 0.05:
                    for _ in range(2):
                        squares.take(path, square, NOT, group[path][1], group[path][0])


def recolour(data, out, seed):
    """Images in other colours, with the boxes of their cells: fields twice, one image of one cell in eight."""
    rng = random.Random(seed)
    rows, places = images_of(data), places_of(out)
    validation = {r['group'] for r in read(os.path.join(out, 'mined.csv')) if r['split'] == 'validation'}
    cells = cells_of(chosen(rows, rng), places, lambda path: min(load(data, path).shape[:2]))
    os.makedirs(os.path.join(out, 're'), exist_ok=True)
    n = 0
    with open(os.path.join(out, 'recoloured.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'xmin', 'ymin', 'xmax', 'ymax', 'source', 'group', 'x', 'y', 'side'])
        for path, source, group, own in cells:
            if group in validation or (source != 'chula' and rng.random() > 0.24):
                continue
            rgb = load(data, path)
            for _ in range(4 if source == 'chula' else 1):
                new = recoloured(rgb, [square for square, _ in own], rng)
                if new is None:
                    continue
                name = f're/{n:05d}.jpg'
                n += 1
                cv2.imwrite(os.path.join(out, name), cv2.cvtColor(new, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 94])
                for (x, y, side), _ in own:
                    r = side / SQUARE * 0.75
                    cx, cy = x + side / 2, y + side / 2
                    table.writerow([name, cx - r, cy - r, cx + r, cy + r, source, group, x, y, side])


def rest(out, seed):
    """At most six squares an image that a model took wrongly for cells, among a share of the squares that it has learnt."""
    rng = random.Random(seed)
    cells, found, wrong = {}, {}, []
    for r in read(os.path.join(out, 'recoloured.csv')):
        cells.setdefault(r['path'], []).append((tuple(float(r[k]) for k in ('x', 'y', 'side')), r['source'], r['group']))
    for path, places in places_of(out, 'recoloured-places.csv').items():
        own = cells[path]
        for square, doubt, _ in places:
            # One of an image of one cell that is not doubted at all may be a second cell.
            if doubt < 0.6 and all(distance(c, square) > 0.45 for c, _, _ in own) and (own[0][1] == 'chula' or doubt > 0.03):
                found.setdefault(path, []).append((doubt, square))
    for path, places in found.items():
        _, source, group = cells[path][0]
        for _, square in sorted(places)[:6]:
            wrong.append([path, NOT, group, source, 'train', *(f'{v:.1f}' for v in square)])
    old = [list(r.values()) for r in read(os.path.join(out, 'mined.csv'))]
    kept = [r for r in old if r[4] == 'validation']
    for of_cells, most in ((True, 7000), (False, 3500)):
        some = [r for r in old if r[4] == 'train' and (r[1] != NOT) == of_cells]
        kept += rng.sample(some, min(most, len(some)))
    with open(os.path.join(out, 'rest.csv'), 'w', newline='') as f:
        table = csv.writer(f)
        table.writerow(['path', 'label', 'group', 'source', 'split', 'x', 'y', 'side'])
        table.writerows(kept + wrong)
    print(len(wrong), 'of', len(kept) + len(wrong))


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('what', choices=['list', 'make', 'few', 'flags', 'mine', 'recolour', 'rest'])
    p.add_argument('data')
    p.add_argument('out')
    p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    if a.what == 'list':
        list_images(a.data, a.out)
    elif a.what == 'few':
        few(a.out, a.seed)
    elif a.what == 'flags':
        flags(a.data, a.out)
    elif a.what == 'recolour':
        recolour(a.data, a.out, a.seed)
    elif a.what == 'rest':
        rest(a.out, a.seed)
    else:
        make(a.data, a.out, a.seed, a.what == 'mine')


if __name__ == '__main__':
    main()
