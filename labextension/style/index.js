import './base.css';
import './cells.css';
import './sidebar.css';
import './run.css';
import './pages.css';
